"""What was evicted, remembered for a while, so that a policy sees what it should have kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Generic, NamedTuple, TypeVar

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix.node import Node

_HEAD = 16 * TOKEN_BYTES
"""Bytes of a segment that tell it from its siblings."""

Mark = TypeVar("Mark")


class Ghost(NamedTuple, Generic[Mark]):
    """An evicted node: what it was, not what it held."""

    identity: int
    used: float
    tokens: int
    mark: Mark
    """What the policy noted."""


class Ghosts(Generic[Mark]):
    """The nodes evicted last, the oldest forgotten first.

    A node is recognised when it comes back by the identity of its parent and the first tokens of its segment. One that
    came back has the identity that it had before, so that what hung below it is recognised too. This costs a look-up
    for a node, where a hash of its content would cost one of the whole path.
    """

    def __init__(self, kin: Ghosts[Any] | None = None) -> None:
        """`kin`: further ghosts of the same tree, below which these may have hung."""
        self.tokens = 0
        self._by_place: OrderedDict[tuple[object, bytes], Ghost[Mark]] = OrderedDict()
        self._identities: dict[int, int] = {} if kin is None else kin._identities
        """Of the nodes in the tree that had another id before."""

    def __len__(self) -> int:
        return len(self._by_place)

    def put(self, node: Node[Any], mark: Mark) -> None:
        """`node` has left the tree, for want of room."""
        identity = self._identities.pop(node.id, node.id)
        place = self._place(node)
        before = self._by_place.pop(place, None)
        if before is not None:
            self.tokens -= before.tokens
        self._by_place[place] = Ghost(identity, node.used, node.tokens, mark)
        self.tokens += node.tokens

    def take(self, node: Node[Any]) -> Ghost[Mark] | None:
        """The ghost of `node`, which is new in the tree; it is one no longer."""
        found = self._by_place.pop(self._place(node), None)
        if found is not None:
            self.tokens -= found.tokens
            self._identities[node.id] = found.identity
        return found

    def oldest(self) -> Ghost[Mark]:
        """Forget the one that was evicted first."""
        _, ghost = self._by_place.popitem(last=False)
        self.tokens -= ghost.tokens
        return ghost

    def forget(self, node: Node[Any]) -> None:
        """`node` has left the tree without becoming a ghost."""
        self._identities.pop(node.id, None)

    def _place(self, node: Node[Any]) -> tuple[object, bytes]:
        parent = node.parent
        assert parent is not None
        if parent.parent is None:
            return node.space.name, node.segment[:_HEAD]
        return self._identities.get(parent.id, parent.id), node.segment[:_HEAD]
