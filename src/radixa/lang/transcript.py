"""A state's text and turns, written piece by piece as a chat format has them."""

from __future__ import annotations

from collections.abc import Callable

from radixa.core.errors import InvalidRequest
from radixa.lang.base import ChatFormat, Prompt, Turn


class Transcript:
    """What was written so far. One thread writes; the others may read `text` and `turns` at any time.

    `form` gives the format, and is asked only once a turn needs it: that may take requests.
    """

    def __init__(self, form: Callable[[], ChatFormat]) -> None:
        self.text = ""
        self.turns: list[Turn] = []
        self._form = form
        self._role: str | None = None
        self._opening = False
        """The turn's beginning is not written yet: it depends on who writes the first word."""
        self._turn_start = 0

    def write(self, text: str) -> None:
        self.open(generating=False)
        self.text += text

    def begin(self, role: str) -> None:
        if self._role is not None:
            raise InvalidRequest(f"a turn of {role!r} begins inside one of {self._role!r}. End that one first.")
        self._role, self._opening = role, True

    def open(self, *, generating: bool) -> None:
        """Write the beginning of the turn that has begun, if that is still to be done."""
        if self._role is not None and self._opening:
            self.text = self._form().opened(self.text, self.turns, self._role, generating=generating)
            self._turn_start, self._opening = len(self.text), False

    def end(self, role: str) -> None:
        if self._role != role:
            raise InvalidRequest(f"a turn of {role!r} ends, but {self._role or 'none'!r} is the one that runs.")
        self.open(generating=False)
        form = self._form()
        content = self.text[self._turn_start :]
        if form.trims:
            content = content.strip()
        turns = [*self.turns, Turn(role, content)]
        self.text = form.closed(self.text[: self._turn_start] + content, turns)
        self.turns, self._role = turns, None

    def instruct(self, text: str) -> None:
        """Write the system message, before anything else."""
        if self.text or self.turns or self._role is not None:
            raise InvalidRequest(
                "set_system_prompt comes too late: the conversation has begun. Call it before anything is appended."
            )
        self.begin("system")
        self.write(text)
        self.end("system")

    def prompt(self) -> Prompt:
        open_text = "" if self._opening or self._role is None else self.text[self._turn_start :]
        return Prompt(self.text, tuple(self.turns), self._role, open_text)

    def copy(self) -> Transcript:
        made = Transcript(self._form)
        # A finished turn is never written to again: `end` makes a new list.
        made.text, made.turns = self.text, self.turns
        made._role, made._opening, made._turn_start = self._role, self._opening, self._turn_start
        return made
