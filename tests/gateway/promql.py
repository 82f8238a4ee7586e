"""Enough of PromQL to read a dashboard's expressions: what they ask of which metric. ValueError for what is no PromQL.

Grammar and names as in Prometheus' documentation; offsets, subqueries and vector matching are not in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<string>\"[^\"]*\")|(?P<duration>\d+(?:ms|[smhdwy])\b|\$__\w+)|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<name>[a-zA-Z_:][\w:]*)|(?P<sign>=~|!~|!=|==|<=|>=|[-+*/%^<>(){}\[\],=]))"
)
_AGGREGATIONS = {"sum", "min", "max", "avg", "count"}
_COUNTING = {"rate", "irate", "increase"}
"""Functions over a range that make sense of counters alone."""
_FUNCTIONS = _COUNTING | {"histogram_quantile"}
_OPERATORS = {"+", "-", "*", "/", "%", "^", "==", "!=", "<", ">", "<=", ">="}


@dataclass(frozen=True)
class Selector:
    """One metric as it is asked for."""

    metric: str
    labels: frozenset[str]
    """That must match something."""
    grouped: frozenset[str]
    """By which whatever surrounds it is grouped."""
    counted: bool
    """It is the argument of a function for counters."""
    ranged: bool
    quantile: bool
    """It is inside of histogram_quantile."""


class Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self.found: list[Selector] = []

    def whole(self) -> list[Selector]:
        self._expression(frozenset(), counted=False, quantile=False)
        if self._at < len(self._tokens):
            raise ValueError(f"unexpected {self._peek()!r}")
        return self.found

    def _expression(self, grouped: frozenset[str], *, counted: bool, quantile: bool) -> None:
        self._primary(grouped, counted=counted, quantile=quantile)
        while self._peek() in _OPERATORS:
            self._next()
            self._primary(grouped, counted=counted, quantile=quantile)

    def _primary(self, grouped: frozenset[str], *, counted: bool, quantile: bool) -> None:
        token = self._next()
        if token == "(":
            self._expression(grouped, counted=counted, quantile=quantile)
            self._expect(")")
        elif token in _AGGREGATIONS:
            by = self._labels() if self._peek() == "by" else frozenset()
            self._expect("(")
            self._expression(grouped | by, counted=False, quantile=quantile)
            self._expect(")")
        elif self._peek() == "(":
            if token not in _FUNCTIONS:
                raise ValueError(f"no function {token!r}")
            self._next()
            while True:
                self._expression(
                    grouped, counted=token in _COUNTING, quantile=quantile or token == "histogram_quantile"
                )
                if self._peek() != ",":
                    break
                self._next()
            self._expect(")")
        elif re.fullmatch(r"[a-zA-Z_:][\w:]*", token):
            labels = frozenset(self._matchers()) if self._peek() == "{" else frozenset()
            ranged = self._peek() == "["
            if ranged:
                self._next()
                duration = self._next()
                if not re.fullmatch(r"\d+(ms|[smhdwy])|\$__\w+", duration):
                    raise ValueError(f"no duration: {duration!r}")
                self._expect("]")
            self.found.append(Selector(token, labels, grouped, counted, ranged, quantile))
        elif not re.fullmatch(r"\d+(\.\d+)?", token):
            raise ValueError(f"unexpected {token!r}")

    def _labels(self) -> frozenset[str]:
        self._expect("by")
        self._expect("(")
        found = set()
        while self._peek() != ")":
            found.add(self._next())
            if self._peek() == ",":
                self._next()
        self._expect(")")
        return frozenset(found)

    def _matchers(self) -> Iterator[str]:
        self._expect("{")
        while self._peek() != "}":
            yield self._next()
            if self._next() not in ("=", "!=", "=~", "!~"):
                raise ValueError("expected a matcher")
            value = self._next()
            if not value.startswith('"'):
                raise ValueError(f"a label's value in quotes, not {value!r}")
            re.compile(value.strip('"').replace("$", ""))
            if self._peek() == ",":
                self._next()
        self._expect("}")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise ValueError("ends too early")
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        found = self._next()
        if found != token:
            raise ValueError(f"expected {token!r}, not {found!r}")


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"no PromQL: {text[at:]!r}")
        yield found[0].strip()
        at = found.end()


def selectors(text: str) -> list[Selector]:
    """The metrics that an expression asks for."""
    return Parser(text).whole()
