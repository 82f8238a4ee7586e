"""What a program writes before its first answer, without asking for any: the part that can be computed ahead."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from radixa.lang.base import Backend, Options, Prompt
from radixa.lang.executor import Executor
from radixa.lang.expressions import Append, Expression, Gen, Select, leaves
from radixa.lang.state import State

LEAST_CHARACTERS = 64
"""A shorter prefix is not worth a request."""

HOLE = "\ue0f1\ue0f2"
"""Stands for an argument that is not known; private characters, which no text has."""


class _FirstAnswer(BaseException):
    """Ends a traced program where it would be answered. No `except Exception` of its own may catch that."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The beginning of a program's prompt."""

    text: str
    """Up to its first answer, or to the first argument that was left open."""
    complete: bool
    """It goes as far as the first answer."""


class _Tracer(Executor):
    """Appends text and turns at once, and stops the program at the first thing that needs an answer."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend, Options(), threaded=False)

    def submit(self, value: Expression) -> None:
        for part in leaves(value):
            if isinstance(part, (Gen, Select, Append)):
                self.transcript.open(generating=True)
                raise _FirstAnswer
            self._run(part)

    def get(self, name: str) -> Any:
        raise _FirstAnswer

    get_meta = get

    def fork(self, count: int) -> list[Executor]:
        raise _FirstAnswer


def traced(func: Callable[..., Any], arguments: Mapping[str, Any], backend: Backend) -> Trace:
    """Run the program's function up to its first answer."""
    executor = _Tracer(backend)
    open_arguments = any(value is HOLE for value in arguments.values())
    try:
        func(State(executor), **arguments)
    except _FirstAnswer:
        pass
    except Exception:
        # An open argument is a string, whatever the program expects there; where that fails its text so far counts.
        if not open_arguments:
            raise
    text = executor.text
    at = min((found for mark in HOLE if (found := text.find(mark)) >= 0), default=len(text))
    return Trace(text[:at], at == len(text))


def warm_common_prefix(func: Callable[..., Any], batch: Sequence[Mapping[str, Any]], backend: Backend) -> None:
    """Compute what the batch's first two programs have in common, where it is long enough to pay.

    Each of the two is run twice then: up to its first answer, and for good.
    """
    texts = [traced(func, arguments, backend).text for arguments in batch[:2]]
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False))
    shared = "".join(character for character, _ in same)
    if len(shared) >= LEAST_CHARACTERS:
        backend.warm(Prompt(shared))
