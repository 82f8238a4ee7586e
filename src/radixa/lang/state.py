"""`s`: what a program writes to and reads from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, overload

from radixa.core.errors import InvalidRequest
from radixa.lang.executor import Executor
from radixa.lang.expressions import Append, Begin, End, Expression, ScopeBegin, ScopeEnd, expression, turn

T = TypeVar("T")


class State:
    """A conversation or text in progress.

    `s += …` appends and does not wait; reading (`s["name"]`, `text()`, `messages()`) waits for what it reads and raises
    what went wrong on the way there.
    """

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.ret_value: Any = None
        """What the program's function returned."""

    def __iadd__(self, other: Expression | str) -> State:
        self.executor.submit(expression(other))
        return self

    def __getitem__(self, name: str) -> Any:
        return self.executor.get(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.executor.set(name, value)

    def __contains__(self, name: str) -> bool:
        return self.executor.has(name)

    def get_var(self, name: str) -> Any:
        return self.executor.get(name)

    def set_var(self, name: str, value: Any) -> None:
        self.executor.set(name, value)

    def get_meta_info(self, name: str) -> dict[str, Any]:
        """What is known of how a variable was generated.

        `prompt_tokens`, `completion_tokens`, `cached_tokens`, `ttft` and `e2e_latency` in seconds, `finish_reason`,
        `cost_usd`, `saved_usd`, `served_by`, `model`; None where the back end does not report it. Of a choice: the
        log-probabilities it was found by.
        """
        return self.executor.get_meta(name)

    def text(self) -> str:
        """All of it, prompts and answers, as the model sees it."""
        self.executor.checked()
        return self.executor.text

    def messages(self) -> list[dict[str, str]]:
        """The finished turns."""
        self.executor.checked()
        return [turn.body() for turn in self.executor.transcript.turns]

    def sync(self) -> None:
        """Wait until everything that was appended is there, or failed."""
        self.executor.sync()

    def error(self) -> BaseException | None:
        """What went wrong, once all is done; None where nothing did."""
        self.executor.sync()
        return self.executor.error

    # ---- turns and scopes

    def system(self, expr: Expression | str | None = None) -> Any:
        """With `expr`, a whole turn; without, a context: what is appended inside is the turn."""
        return self._turn("system", expr)

    def user(self, expr: Expression | str | None = None) -> Any:
        return self._turn("user", expr)

    def assistant(self, expr: Expression | str | None = None) -> Any:
        return self._turn("assistant", expr)

    def _turn(self, role: str, expr: Expression | str | None) -> Any:
        if expr is None:
            return self._between(Begin(role), End(role))
        whole = turn(role, expr)
        self.executor.submit(whole)
        return whole

    def var_scope(self, name: str) -> Any:
        """A context: all that is written inside becomes the variable `name`."""
        return self._between(ScopeBegin(name), ScopeEnd(name))

    @contextmanager
    def _between(self, begin: Expression, end: Expression) -> Iterator[State]:
        self.executor.submit(begin)
        yield self
        self.executor.submit(end)

    # ---- forks

    def fork(self, size: int = 1) -> StateGroup:
        """`size` states that go on from here side by side. What they share is in the cache before they start."""
        if size < 1:
            raise InvalidRequest(f"fork: size is {size}. Expected 1 or more.")
        return StateGroup([State(executor) for executor in self.executor.fork(size)], self)

    @contextmanager
    def copy(self) -> Iterator[State]:
        """A context with one fork; its new variables come back at the end, each as a list of one value."""
        group = self.fork()
        yield group[0]
        group.join()

    # ---- streaming

    def text_iter(self, var_name: str | None = None) -> Iterator[str]:
        """The text, or a variable's, piece by piece as it is written."""
        seen, done = 0, False
        while not done:
            piece, done = self.executor.wait_grown(var_name, seen)
            seen += len(piece)
            if piece:
                yield piece
        self._raise_error()

    @overload
    def text_async_iter(
        self, var_name: str | None = None, return_meta_data: Literal[False] = False
    ) -> AsyncIterator[str]: ...
    @overload
    def text_async_iter(
        self, var_name: str | None = None, *, return_meta_data: Literal[True]
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]: ...
    async def text_async_iter(self, var_name: str | None = None, return_meta_data: bool = False) -> AsyncIterator[Any]:
        """`text_iter` for an event loop, which it never blocks.

        `return_meta_data`: pairs of a piece and what is known by then of how the variable was generated.
        """
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(changed.set)

        seen, done = 0, False
        with self.executor.heard_by(wake):
            while not done:
                changed.clear()
                piece, done = self.executor.grown(var_name, seen)
                seen += len(piece)
                if piece:
                    yield (piece, self.executor.meta.get(var_name or "", {})) if return_meta_data else piece
                elif not done:
                    await changed.wait()
        self._raise_error()

    def _raise_error(self) -> None:
        if self.executor.error is not None:
            raise self.executor.error


class StateGroup:
    """Forked states. `group += x` appends to each: a text, a list of one for each, or a function of its number."""

    def __init__(self, states: list[State], source: State) -> None:
        self.states = states
        self._source = source

    def join(self, mode: Literal["gather_variable", "concate_and_append"] = "gather_variable") -> None:
        """Wait for all, and bring back what they have.

        `gather_variable`: each variable that is new in them, as a list of their values in order. `concate_and_append`:
        their texts since the fork, one after the other, to the state they came from.
        """
        if mode == "concate_and_append":
            self._source += Append(tuple(self.states))
            self._source.executor.checked()
            return
        if mode != "gather_variable":
            raise InvalidRequest(f"join: mode is {mode!r}. Expected 'gather_variable' or 'concate_and_append'.")
        known = set(self._source.executor.variables)
        gathered: dict[str, list[Any]] = {}
        for state in self.states:
            state.executor.checked()
            for name, value in state.executor.variables.items():
                if name not in known:
                    gathered.setdefault(name, []).append(value)
        for name, values in gathered.items():
            self._source.executor.set(name, values)

    def __getitem__(self, index: int) -> State:
        return self.states[index]

    def __len__(self) -> int:
        return len(self.states)

    def __iter__(self) -> Iterator[State]:
        return iter(self.states)

    def __iadd__(self, other: Expression | str | Sequence[Expression | str] | Callable[[int], Any]) -> StateGroup:
        if isinstance(other, (Expression, str)):
            values: list[Any] = [other] * len(self.states)
        elif callable(other):
            values = [other(i) for i in range(len(self.states))]
        else:
            values = list(other)
            if len(values) != len(self.states):
                raise InvalidRequest(
                    f"{len(values)} texts cannot be appended to {len(self.states)} states. Expected one for each."
                )
        for state, value in zip(self.states, values, strict=True):
            state.executor.submit(expression(value))
        return self
