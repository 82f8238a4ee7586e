"""What runs a state's expressions: in their order, in a thread, while the program goes on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from radixa.core.errors import InvalidRequest
from radixa.lang.base import Backend, Options, Prompt, Turn
from radixa.lang.expressions import (
    Append,
    Begin,
    End,
    Expression,
    Gen,
    ScopeBegin,
    ScopeEnd,
    Select,
    SystemPrompt,
    Text,
    leaves,
    names,
)

WARM_CHARACTERS = 256
"""A shared prefix is warmed before a fork where at least so much of it is not in the cache yet."""


class Executor:
    """Text, turns and variables of one state, and the queue of what is still to be appended.

    `submit` never waits: a thread drains the queue and ends when it is empty; text alone is appended at once where
    nothing waits before it. All else that others read is guarded by one condition.
    """

    def __init__(self, backend: Backend, defaults: Options, *, stream: bool = False, threaded: bool = True) -> None:
        self.backend = backend
        self.defaults = defaults
        self.stream = stream
        self.threaded = threaded
        self.text = ""
        self.turns: list[Turn] = []
        self.variables: dict[str, Any] = {}
        self.meta: dict[str, dict[str, Any]] = {}
        self.error: BaseException | None = None
        self.forked_at = 0
        """Characters that came from the state it was forked from."""
        self.body_thread: int | None = None
        """The thread that runs the program of a streamed run; 0 before it starts, None for other runs."""
        self._ended = False
        self._role: str | None = None
        self._opening = False
        """The turn's beginning is not written yet: it depends on who writes the first word."""
        self._turn_start = 0
        self._scopes: dict[str, int] = {}
        self._starts: dict[str, int] = {}
        """Where the text of a variable begins that is being written."""
        self._promised: set[str] = set()
        self._computed = 0
        """Leading characters that the back end has computed."""
        self._queue: deque[Expression] = deque()
        self._busy = False
        self._changed = threading.Condition()
        self._listeners: list[Callable[[], None]] = []

    # ---- for the program

    def submit(self, value: Expression) -> None:
        with self._changed:
            if self.error is not None:
                return
            self._promised.update(names(value))
            self._queue.append(value)
            if self._busy:
                return
            self._busy = True
        if isinstance(value, Text) or not self.threaded:
            self._drain()
        else:
            threading.Thread(target=self._drain, daemon=True, name="radixa-state").start()

    def sync(self) -> None:
        """Wait until all that was appended is there, or failed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy and not self._more_may_come())

    def checked(self) -> None:
        """Wait as `sync`, and raise what went wrong."""
        self.sync()
        if self.error is not None:
            raise self.error

    def get(self, name: str) -> Any:
        """A variable's value, waiting for it. KeyError where nothing will set it."""
        self._wait_for(name)
        return self.variables[name]

    def get_meta(self, name: str) -> dict[str, Any]:
        self._wait_for(name)
        if name not in self.meta:
            raise KeyError(f"{name!r} was not generated, so there is nothing to tell of it")
        return self.meta[name]

    def set(self, name: str, value: Any) -> None:
        with self._changed:
            self.variables[name] = value
            self._notify()

    def has(self, name: str) -> bool:
        return name in self.variables or name in self._promised

    def fork(self, count: int) -> list[Executor]:
        """States that go on from here, each by itself; what they share is computed before they start."""
        self.checked()
        if count > 1 and len(self.text) - self._computed >= WARM_CHARACTERS:
            self.backend.warm(self.prompt())
            self._computed = len(self.text)
        return [self._forked() for _ in range(count)]

    def end(self) -> None:
        """The program has ended: nothing more is appended."""
        with self._changed:
            self._ended = True
            self._notify()

    def fail(self, error: BaseException) -> None:
        with self._changed:
            self.error = self.error or error
            self._queue.clear()
            self._notify()

    def grown(self, name: str | None, seen: int) -> tuple[str, bool]:
        """What came to the text, or to a variable's, after its first `seen` characters; and whether that is all."""
        with self._changed:
            if name is None:
                return self.text[seen:], not self._busy and not self._more_may_come()
            if name in self.variables:
                value = self.variables[name]
                return str(value[0] if isinstance(value, list) and value else value)[seen:], True
            if self.error is not None:
                return "", True
            if name in self._starts:
                return self.text[self._starts[name] + seen :], False
            self._check_coming(name)
            return "", False

    def wait_grown(self, name: str | None, seen: int) -> tuple[str, bool]:
        """`grown`, once that is something."""
        with self._changed:
            self._changed.wait_for(lambda: any(self.grown(name, seen)))
            return self.grown(name, seen)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change, from whatever thread made it."""
        with self._changed:
            self._listeners.append(listener)

    def prompt(self) -> Prompt:
        open_text = "" if self._opening or self._role is None else self.text[self._turn_start :]
        return Prompt(self.text, tuple(self.turns), self._role, open_text)

    # ---- waiting

    def _more_may_come(self) -> bool:
        """Whether whoever asks may wait for the program itself: it runs in another thread."""
        return self.body_thread is not None and not self._ended and threading.get_ident() != self.body_thread

    def _wait_for(self, name: str) -> None:
        def there() -> bool:
            if name in self.variables or self.error is not None:
                return True
            self._check_coming(name)
            return False

        with self._changed:
            self._changed.wait_for(there)
            if name not in self.variables:
                assert self.error is not None
                raise self.error

    def _check_coming(self, name: str) -> None:
        """KeyError where nothing that was appended will set the variable."""
        coming = name in self._promised and (self._busy or name in self._scopes)
        if not coming and not self._more_may_come():
            known = ", ".join(sorted({*self.variables, *self._promised})) or "none"
            raise KeyError(f"the state has no variable {name!r}; it has: {known}")

    def _notify(self) -> None:
        self._changed.notify_all()
        for listener in self._listeners:
            listener()

    # ---- running

    def _drain(self) -> None:
        while True:
            with self._changed:
                if not self._queue:
                    self._busy = False
                    self._notify()
                    return
                value = self._queue.popleft()
            try:
                for part in leaves(value):
                    self._run(part)
            except BaseException as error:  # noqa: BLE001 - kept for whoever reads what this was to give
                self.fail(error)

    def _run(self, part: Expression) -> None:
        match part:
            case Text():
                self._write(part.text)
            case Gen():
                self._generate(part)
            case Select():
                self._select(part)
            case Begin():
                if self._role is not None:
                    raise InvalidRequest(
                        f"a turn of {part.role!r} begins inside one of {self._role!r}. End that one first."
                    )
                self._role, self._opening = part.role, True
            case End():
                self._close(part.role)
            case SystemPrompt():
                if self.text or self.turns or self._role is not None:
                    raise InvalidRequest(
                        "set_system_prompt comes too late: the conversation has begun. Call it before anything is "
                        "appended."
                    )
                self._role, self._opening = "system", True
                self._write(part.text)
                self._close("system")
            case ScopeBegin():
                # The turn's own beginning is not part of what is said in it.
                self._open(generating=True)
                self._scopes[part.name] = len(self.text)
            case ScopeEnd():
                self.set(part.name, self.text[self._scopes.pop(part.name) :])
            case Append():
                for state in part.states:
                    self._write(state.executor.own_text())

    def own_text(self) -> str:
        """What was written since the fork."""
        self.checked()
        return self.text[self.forked_at :]

    def _write(self, text: str) -> None:
        self._open(generating=False)
        with self._changed:
            self.text += text
            self._notify()

    def _open(self, *, generating: bool) -> None:
        if self._role is None or not self._opening:
            return
        text = self.backend.format.opened(self.text, self.turns, self._role, generating=generating)
        with self._changed:
            self.text, self._turn_start, self._opening = text, len(text), False

    def _close(self, role: str) -> None:
        if self._role != role:
            raise InvalidRequest(f"a turn of {role!r} ends, but {self._role or 'none'!r} is the one that runs.")
        self._open(generating=False)
        form = self.backend.format
        content = self.text[self._turn_start :]
        if form.trims:
            content = content.strip()
        turns = [*self.turns, Turn(role, content)]
        text = form.closed(self.text[: self._turn_start] + content, turns)
        with self._changed:
            self.text, self.turns, self._role = text, turns, None
            self._notify()

    def _generate(self, part: Gen) -> None:
        self._open(generating=True)
        before = self.text
        if part.name is not None:
            self._starts[part.name] = len(before)

        def listener(piece: str) -> bool:
            with self._changed:
                self.text += piece
                self._notify()
            return False

        options = part.options.over(self.defaults)
        hears = listener if self.stream and (options.n or 1) == 1 else None
        answers = self.backend.generate(self.prompt(), options, hears)
        with self._changed:
            self.text = before + answers[0].text
            self._computed = len(self.text)
            if part.name is not None:
                texts = [answer.text for answer in answers]
                self.meta[part.name] = answers[0].meta
                self.variables[part.name] = texts if (options.n or 1) > 1 else texts[0]
                del self._starts[part.name]
            self._notify()

    def _select(self, part: Select) -> None:
        self._open(generating=True)
        decision = self.backend.select(self.prompt(), part.choices, part.method)
        with self._changed:
            self.text += decision.choice
            self._computed = len(self.text)
            if part.name is not None:
                self.meta[part.name] = decision.meta
                self.variables[part.name] = decision.choice
            self._notify()

    def _forked(self) -> Executor:
        child = Executor(self.backend, self.defaults, stream=self.stream, threaded=self.threaded)
        child.text, child.turns, child.forked_at = self.text, list(self.turns), len(self.text)
        child.variables, child.meta = dict(self.variables), dict(self.meta)
        child._role, child._opening, child._turn_start = self._role, self._opening, self._turn_start
        child._scopes, child._computed = dict(self._scopes), self._computed
        child._promised = set(self._promised)
        return child
