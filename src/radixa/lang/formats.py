"""How turns become one text: learned from the model's own chat template by asking it to render a few conversations.

A program's turns are written one after the other, so what a template does is taken apart into what it writes before and
after each role's content. Templates for which that is not the whole truth (the system message goes into the user's,
earlier turns are rewritten) are asked anew for every turn instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from radixa.core.errors import InvalidRequest
from radixa.lang.base import ChatFormat, Turn

Render = Callable[[Sequence[Turn], bool], str]
"""The template: turns, and whether the next answer is opened after them. InvalidRequest where it refuses them."""

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class PiecedFormat:
    """A format whose turns do not depend on each other."""

    lead: str
    """Before the first turn, unless that is the system's: a default system message, for instance."""
    prefix: Mapping[str, str]
    suffix: Mapping[str, str]
    generation: str
    """What stands before an answer that the model begins."""
    trims: bool = False

    def opened(self, text: str, turns: Sequence[Turn], role: str, *, generating: bool) -> str:
        if role not in self.prefix:
            raise InvalidRequest(f"a turn of {role!r} cannot be written. Expected one of {', '.join(self.prefix)}.")
        if not turns:
            text += "" if role == "system" else self.lead
        return text + (self.generation if generating and role == "assistant" else self.prefix[role])

    def closed(self, text: str, turns: Sequence[Turn]) -> str:
        return text + self.suffix[turns[-1].role]


PLAIN = PiecedFormat(
    lead="",
    prefix={role: f"{role.upper()}:" for role in ROLES},
    suffix=dict.fromkeys(ROLES, "\n"),
    generation="ASSISTANT:",
)
"""For back ends that take messages: what a program's `text()` looks like there."""


@dataclass(frozen=True, slots=True)
class RenderedFormat:
    """A format that only the template itself knows: every turn is rendered with those before it."""

    render: Render
    trims: bool = False

    def opened(self, text: str, turns: Sequence[Turn], role: str, *, generating: bool) -> str:
        if not turns and text:
            raise InvalidRequest(
                "this model's chat template writes turns in one piece, so a program has no text of its own before them."
            )
        if generating and role == "assistant":
            return self.render(turns, True)
        attempts: list[Sequence[Turn]] = [[*turns, Turn(role, _MARK)]]
        if role == "system":
            attempts.append([*turns, Turn(role, _MARK), Turn("user", "x")])
        for attempt in attempts:
            try:
                before, found, _ = self.render(attempt, False).partition(_MARK)
            except InvalidRequest:
                continue
            if found:
                return before
        raise InvalidRequest(f"the model's chat template takes no turn of {role!r} here.")

    def closed(self, text: str, turns: Sequence[Turn]) -> str:
        # What stands there may depend on what follows: the next turn is rendered with it.
        return text


_MARK = "zqxjmarkjxqz"


def learned(render: Render) -> ChatFormat:
    """The format of the template that `render` renders."""
    trims = _trims(render)
    try:
        found = _pieces(render, trims)
    except (InvalidRequest, ValueError):
        return RenderedFormat(render, trims)
    return found if _holds(found, render) else RenderedFormat(render, trims)


def _pieces(render: Render, trims: bool) -> PiecedFormat:
    """ValueError where the renderings do not come apart."""
    one, two, three, system = "zqxone", "zqxtwo", "zqxthree", "zqxsystem"
    asked = [Turn("user", one)]
    before, user_end = _around(render(asked, False), one)
    _, opening = _around(render(asked, True), one)
    answered = [*asked, Turn("assistant", two)]
    _, rest = _around(render(answered, False), one)
    to_answer, answer_end = _around(rest, two)
    _, rest = _around(render([*answered, Turn("user", three)], False), two)
    to_user, _ = _around(rest, three)
    instructed, rest = _around(render([Turn("system", system), *asked], False), system)
    system_end, _ = _around(rest, one)
    user_prefix = _without_start(to_user, answer_end)
    return PiecedFormat(
        lead=_without_end(before, user_prefix),
        prefix={"system": instructed, "user": user_prefix, "assistant": _without_start(to_answer, user_end)},
        suffix={"system": _without_end(system_end, user_prefix), "user": user_end, "assistant": answer_end},
        generation=_without_start(opening, user_end),
        trims=trims,
    )


def _holds(found: PiecedFormat, render: Render) -> bool:
    """Whether whole conversations come out as the template writes them."""
    system, user, answer = (
        Turn("system", "Be brief.\nAlways."),
        Turn("user", "Why?\n\nSay it."),
        Turn("assistant", "So."),
    )
    for turns in ([user, answer, user], [system, user, answer, user, answer, user]):
        text = ""
        for count, turn in enumerate(turns):
            text = found.opened(text, turns[:count], turn.role, generating=False) + turn.content
            text = found.closed(text, turns[: count + 1])
        text = found.opened(text, turns, "assistant", generating=True)
        if text != render(turns, True):
            return False
    return True


def _trims(render: Render) -> bool:
    try:
        return f" {_MARK} " not in render([Turn("user", f" {_MARK} ")], False)
    except InvalidRequest:
        return False


def _around(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark)
    if not found:
        raise ValueError(f"{mark} is not in the rendering")
    return before, after


def _without_start(text: str, start: str) -> str:
    if not text.startswith(start):
        raise ValueError(f"{text!r} does not begin with {start!r}")
    return text[len(start) :]


def _without_end(text: str, end: str) -> str:
    if not text.endswith(end):
        raise ValueError(f"{text!r} does not end with {end!r}")
    return text[: len(text) - len(end)]
