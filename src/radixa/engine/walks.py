"""Walks through the tree that go on from one question to the next."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import islice
from time import monotonic
from typing import NamedTuple

from radixa.core.errors import NotFound
from radixa.engine.base import TreePage, TreeQuery
from radixa.kv.base import PrefixCache
from radixa.radix import NodeView

MAX_WALKS = 4
"""Walks through one namespace that may be under way; the oldest is forgotten for one more."""

WALK_SECONDS = 60.0
"""How long a walk may pause."""


class _Walk(NamedTuple):
    """A walk that goes on: of which namespace, and what is left of it."""

    namespace: str | None
    rest: Iterator[NodeView]
    paused: float
    """When, by the monotonic clock."""


class Walks:
    """By cursor, the oldest first."""

    def __init__(self) -> None:
        self._walks: dict[int, _Walk] = {}

    def page(self, cache: PrefixCache, wanted: TreeQuery) -> TreePage:
        """The next nodes of a walk. NotFound for a cursor that is not known any more, or is of another namespace's."""
        if wanted.cursor is None:
            walk = cache.walk(wanted.namespace, levels=wanted.levels, min_tokens=wanted.min_tokens)
        else:
            known = self._walks.get(wanted.cursor)
            if known is None or known.namespace != wanted.namespace:
                raise NotFound("This walk through the tree is over, or too long ago: begin again.", param="after")
            walk = known.rest
            del self._walks[wanted.cursor]
        nodes = list(islice(walk, wanted.limit))
        if len(nodes) < wanted.limit:
            return TreePage(nodes, None)
        # A number that cannot be guessed, and does not tell how many walks others made.
        cursor = secrets.randbits(52) + 1
        self._walks[cursor] = _Walk(wanted.namespace, walk, monotonic())
        self._end_old(wanted.namespace)
        return TreePage(nodes, cursor)

    def _end_old(self, namespace: str | None) -> None:
        """Walks hold on to nodes; and nobody's many walks end another's."""
        limit = monotonic() - WALK_SECONDS
        own = [cursor for cursor, walk in self._walks.items() if walk.namespace == namespace]
        for cursor in own[:-MAX_WALKS] + [c for c, walk in self._walks.items() if walk.paused < limit]:
            self._walks.pop(cursor, None)
