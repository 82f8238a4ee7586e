"""Finding one node by its id, a slice at a time, so that a tree of a million nodes does not stop the requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from radixa.core.errors import NotFound
from radixa.engine.base import Fault
from radixa.engine.loop import EngineLoop
from radixa.engine.messages import Answer, AskNode, NodePath
from radixa.radix import Node, view

SEARCH_SLICE = 4_096
"""Nodes that are looked at between two steps, by all searches together: about a millisecond."""


def search_on(searches: list[Search], loop: EngineLoop) -> list[Answer]:
    """Look on for each in turn, until a slice is used up; the answers of those that came to their end, which leave."""
    answers, room = [], SEARCH_SLICE
    for _ in range(len(searches)):
        if room <= 0:
            break
        search = searches.pop(0)
        answer, looked = search.over(loop, room)
        room -= looked
        if answer is None:
            searches.append(search)
        else:
            answers.append(answer)
    return answers


@dataclass(slots=True)
class Search:
    """For one question; `over` until it answers."""

    id: int
    wanted: AskNode
    looking: Iterator[Node[Any] | None]

    @classmethod
    def begin(cls, loop: EngineLoop, number: int, wanted: AskNode) -> Search:
        return cls(number, wanted, loop.cache.find(wanted.node, wanted.namespace))

    def over(self, loop: EngineLoop, most: int) -> tuple[Answer | None, int]:
        """Look on at `most` nodes; the answer, where that was the end, and how many were looked at.

        What is asked to be kept otherwise is, before the answer.
        """
        looked = 0
        for node in islice(self.looking, most):
            looked += 1
            if node is not None:
                return Answer(self.id, self._found(loop, node)), looked
        if looked == most:
            return None, looked
        gone = NotFound("There is no such node in the tree any more.", param="id")
        return Answer(self.id, fault=Fault.of(gone)), looked + 1

    def _found(self, loop: EngineLoop, node: Node[Any]) -> NodePath:
        if self.wanted.keeping:
            loop.cache.keep(node, self.wanted.keep)
        now, path = loop.clock(), node.path()
        above = [0, *(member.id for member in path)]
        return NodePath([view(member, parent, now) for member, parent in zip(path, above, strict=False)])
