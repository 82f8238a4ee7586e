"""What runs a state's expressions: in their order, in a thread, while the program goes on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from radixa.lang.base import Backend, Options
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
from radixa.lang.transcript import Transcript

WARM_CHARACTERS = 256
"""A shared prefix is warmed before a fork where at least so much of it is not in the cache yet."""


class Executor:
    """Transcript and variables of one state, and the queue of what is still to be appended.

    `submit` never waits: a thread drains the queue and ends when it is empty; text alone is appended at once where
    nothing waits before it. All else that others read is guarded by one condition.
    """

    def __init__(self, backend: Backend, defaults: Options, *, stream: bool = False, threaded: bool = True) -> None:
        self.backend = backend
        self.defaults = defaults
        self.stream = stream
        self.threaded = threaded
        self.transcript = Transcript(lambda: backend.format)
        self.variables: dict[str, Any] = {}
        self.meta: dict[str, dict[str, Any]] = {}
        self.error: BaseException | None = None
        self.forked_at = 0
        """Characters that came from the state it was forked from."""
        self.body_thread: int | None = None
        """The thread that runs the program of a streamed run; 0 before it starts, None for other runs."""
        self._ended = False
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

    @property
    def text(self) -> str:
        return self.transcript.text

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
            self.backend.warm(self.transcript.prompt())
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

    @contextmanager
    def heard_by(self, listener: Callable[[], None]) -> Iterator[None]:
        """While it lasts, `listener` is called after every change, from whatever thread made it."""
        with self._changed:
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._changed:
                self._listeners.remove(listener)

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
        transcript = self.transcript
        match part:
            case Text():
                transcript.write(part.text)
            case Gen():
                self._generate(part)
            case Select():
                self._select(part)
            case Begin():
                transcript.begin(part.role)
            case End():
                transcript.end(part.role)
            case SystemPrompt():
                transcript.instruct(part.text)
            case ScopeBegin():
                # The turn's own beginning is not part of what is said in it.
                transcript.open(generating=True)
                self._scopes[part.name] = len(self.text)
            case ScopeEnd():
                self.set(part.name, self.text[self._scopes.pop(part.name) :])
            case Append():
                for state in part.states:
                    transcript.write(state.executor.own_text())
        with self._changed:
            self._notify()

    def own_text(self) -> str:
        """What was written since the fork."""
        self.checked()
        return self.text[self.forked_at :]

    def _generate(self, part: Gen) -> None:
        self.transcript.open(generating=True)
        before = self.text
        if part.name is not None:
            self._starts[part.name] = len(before)

        def listener(piece: str) -> bool:
            with self._changed:
                self.transcript.text += piece
                self._notify()
            return False

        options = part.options.over(self.defaults)
        hears = listener if self.stream and (options.n or 1) == 1 else None
        answers = self.backend.generate(self.transcript.prompt(), options, hears)
        with self._changed:
            self.transcript.text = before + answers[0].text
            self._computed = len(self.text)
            if part.name is not None:
                texts = [answer.text for answer in answers]
                self.meta[part.name] = answers[0].meta
                self.variables[part.name] = texts if (options.n or 1) > 1 else texts[0]
                del self._starts[part.name]

    def _select(self, part: Select) -> None:
        self.transcript.open(generating=True)
        decision = self.backend.select(self.transcript.prompt(), part.choices, part.method)
        with self._changed:
            self.transcript.text += decision.choice
            self._computed = len(self.text)
            if part.name is not None:
                self.meta[part.name] = decision.meta
                self.variables[part.name] = decision.choice

    def _forked(self) -> Executor:
        child = Executor(self.backend, self.defaults, stream=self.stream, threaded=self.threaded)
        child.transcript, child.forked_at = self.transcript.copy(), len(self.text)
        child.variables, child.meta = dict(self.variables), dict(self.meta)
        child._scopes, child._computed = dict(self._scopes), self._computed
        child._promised = set(self._promised)
        return child
