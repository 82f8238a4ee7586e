"""What a program appends to its state: text, generations, choices, turns. They are values; a state runs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from radixa.core.errors import InvalidRequest
from radixa.lang.base import Options
from radixa.lang.choices import ChoicesMethod

if TYPE_CHECKING:
    from radixa.lang.state import State


class Expression:
    """`a + b` is one expression after the other; either may be a string."""

    __slots__ = ()

    def __add__(self, other: Expression | str) -> Sequence:
        return Sequence((*_parts(self), *_parts(expression(other))))

    def __radd__(self, other: str) -> Sequence:
        return Sequence((*_parts(expression(other)), *_parts(self)))


@dataclass(frozen=True, slots=True)
class Text(Expression):
    text: str


@dataclass(frozen=True, slots=True)
class Gen(Expression):
    """A piece that the model writes; its text becomes the variable `name`."""

    name: str | None
    options: Options


@dataclass(frozen=True, slots=True)
class Select(Expression):
    """One of the `choices`, whichever the model finds likeliest."""

    name: str | None
    choices: tuple[str, ...]
    method: ChoicesMethod


@dataclass(frozen=True, slots=True)
class Begin(Expression):
    """A turn of `role` begins."""

    role: str


@dataclass(frozen=True, slots=True)
class End(Expression):
    role: str


@dataclass(frozen=True, slots=True)
class SystemPrompt(Expression):
    """The conversation's system message, wherever in the program it is said before the first turn."""

    text: str


@dataclass(frozen=True, slots=True)
class ScopeBegin(Expression):
    """What is written until its end becomes the variable `name`."""

    name: str


@dataclass(frozen=True, slots=True)
class ScopeEnd(Expression):
    name: str


@dataclass(frozen=True, slots=True)
class Append(Expression):
    """What forked states wrote after their fork, one after the other."""

    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Sequence(Expression):
    parts: tuple[Expression, ...]


def expression(value: object) -> Expression:
    """A value as a program may append it. InvalidRequest for what is none."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, str):
        return Text(value)
    raise InvalidRequest(
        f"{type(value).__name__} cannot be appended to a state. Expected a string, or what gen, select and the roles "
        "give."
    )


def turn(role: str, content: object) -> Sequence:
    """A whole turn that says `content`."""
    return Sequence((Begin(role), expression(content), End(role)))


def _parts(value: Expression) -> tuple[Expression, ...]:
    return value.parts if isinstance(value, Sequence) else (value,)


def leaves(value: Expression) -> Iterator[Expression]:
    """The expression's parts, none of them a sequence."""
    if isinstance(value, Sequence):
        for part in value.parts:
            yield from leaves(part)
    else:
        yield value


def names(value: Expression) -> Iterator[str]:
    """The variables that the expression will set."""
    for part in leaves(value):
        if isinstance(part, (Gen, Select, ScopeEnd)) and part.name is not None:
            yield part.name
