"""Which program runs in this thread: what `set_system_prompt` and `retrieve` inside it mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from radixa.lang.base import Backend
from radixa.lang.state import State


@dataclass(frozen=True, slots=True)
class Running:
    backend: Backend | None
    """The one it was run with; None for the default."""
    state: State | None
    """None for a function without `s`."""


_running: ContextVar[Running | None] = ContextVar("radixa_running", default=None)


def running() -> Running | None:
    return _running.get()


@contextmanager
def inside(backend: Backend | None, state: State | None) -> Iterator[None]:
    token = _running.set(Running(backend, state))
    try:
        yield
    finally:
        _running.reset(token)
