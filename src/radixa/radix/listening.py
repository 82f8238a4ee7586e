"""Whom a tree tells of what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from radixa.radix.base import Listener


class Listening:
    """For each kind of event the methods of those listeners that have one of their own, in order."""

    __slots__ = ("added", "kept", "matched", "removed", "split")

    def __init__(self, listeners: Sequence[Listener[Any]]) -> None:
        self.added = _hearing("added", listeners)
        self.split = _hearing("split", listeners)
        self.matched = _hearing("matched", listeners)
        self.removed = _hearing("removed", listeners)
        self.kept = _hearing("kept", listeners)


def _hearing(what: str, listeners: Sequence[Listener[Any]]) -> tuple[Callable[..., None], ...]:
    silent = getattr(Listener, what)
    return tuple(getattr(listener, what) for listener in listeners if getattr(type(listener), what) is not silent)
