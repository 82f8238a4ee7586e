"""The thread's half: a copy of the tree, kept from the recorder's notes, that turns them into events.

It holds what the tree's own nodes do not have, the hashes of their blocks, and lets all be told anew without asking
the engine's loop. A block belongs to the node that holds its last token.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from radixa.core.tokens import TOKEN_BYTES, unpack
from radixa.engine.events.base import BLOCK_BYTES, BLOCK_TOKENS, MEDIUM, Cleared, Event, Removed, Stored
from radixa.engine.events.chain import block_hashes, namespace_tag
from radixa.engine.events.recorder import Note

PIECE_BLOCKS = 64
"""The most blocks hashed for one event: after each the thread can let the engine's loop go first."""


class Mirror:
    """Takes notes in order. Whoever calls `apply` or `everything` must take all events that come of it."""

    def __init__(self, namespace_key: bytes) -> None:
        self._key = namespace_key
        self._nodes: dict[int, _Node] = {}
        self._round = 0

    def apply(self, note: Note) -> Iterator[Event]:
        """Do to the copy what was noted; the events that tell of it."""
        match note:
            case ("added", number, 0, namespace, segment):
                node = self._nodes[number] = _Node(None, namespace_tag(namespace, self._key), 0)
                yield from node.extended(segment)
            case ("added", number, parent, _, segment):
                above = self._nodes[parent]
                node = self._nodes[number] = _Node(above, above.tag, above.end)
                yield from node.extended(segment)
            case ("grown", number, tokens):
                yield from self._nodes[number].extended(tokens)
            case ("split", upper, lower, tokens):
                self._nodes[upper] = self._nodes[lower].cut(tokens)
            case ("removed", number):
                node = self._nodes.pop(number)
                if node.hashes:
                    yield Removed(node.hashes[::-1].tolist(), MEDIUM)
            case ("cleared",):
                self._nodes.clear()
                yield Cleared()

    def everything(self) -> Iterator[Event | None]:
        """Events that tell somebody who may know anything, or nothing, what there is; None for each node gone through,
        which may have no block."""
        yield Cleared()
        self._round += 1
        for last in list(self._nodes.values()):
            line = []
            node: _Node | None = last
            while node is not None and node.told != self._round:
                line.append(node)
                node.told = self._round
                node = node.parent
            for node in reversed(line):
                yield None
                yield from node.stored()


class _Node:
    """A node of the copy: its tokens, and the hashes of the blocks that end in it."""

    __slots__ = ("hashes", "parent", "segment", "start", "tag", "told")

    def __init__(self, parent: _Node | None, tag: str | None, start: int) -> None:
        self.parent = parent
        """None below a root."""
        self.tag = tag
        self.start = start
        """Tokens on the path above."""
        self.segment = b""
        self.hashes = array("Q")
        self.told = 0
        """The last round of `everything` that came here."""

    @property
    def end(self) -> int:
        return self.start + len(self.segment) // TOKEN_BYTES

    def extended(self, tokens: bytes) -> Iterator[Stored]:
        """Append tokens; the blocks that are complete now."""
        known = len(self.hashes)
        self.segment += tokens
        data = self._blocks(known)
        parent = self._last_hash()
        for at in range(0, len(data), PIECE_BLOCKS * BLOCK_BYTES):
            piece = data[at : at + PIECE_BLOCKS * BLOCK_BYTES]
            hashes = block_hashes(parent, piece, self.tag)
            self.hashes.extend(hashes)
            yield self._event(hashes, parent, piece)
            parent = hashes[-1]

    def stored(self) -> Iterator[Stored]:
        """All blocks that end in this node."""
        data = self._blocks(0)
        parent = self.parent._last_hash() if self.parent else None
        for at in range(0, len(self.hashes), PIECE_BLOCKS):
            hashes = self.hashes[at : at + PIECE_BLOCKS].tolist()
            yield self._event(hashes, parent, data[at * BLOCK_BYTES : (at + len(hashes)) * BLOCK_BYTES])
            parent = hashes[-1]

    def cut(self, tokens: int) -> _Node:
        """Take the first tokens off, into a new node above this one."""
        upper = _Node(self.parent, self.tag, self.start)
        blocks = (self.start + tokens) // BLOCK_TOKENS - self.start // BLOCK_TOKENS
        upper.segment, self.segment = self.segment[: tokens * TOKEN_BYTES], self.segment[tokens * TOKEN_BYTES :]
        upper.hashes, self.hashes = self.hashes[:blocks], self.hashes[blocks:]
        self.parent = upper
        self.start += tokens
        return upper

    def _event(self, hashes: list[int], parent: int | None, tokens: bytes) -> Stored:
        extra = None if self.tag is None else [(self.tag,)] * len(hashes)
        return Stored(hashes, parent, unpack(tokens), BLOCK_TOKENS, None, MEDIUM, None, extra)

    def _blocks(self, first: int) -> bytes:
        """The tokens of the whole blocks that end in this node from its block `first` on; they may begin above it."""
        begin = (self.start // BLOCK_TOKENS + first) * BLOCK_TOKENS
        end = self.end - self.end % BLOCK_TOKENS
        if end <= begin:
            return b""
        if begin >= self.start:
            return self.segment[(begin - self.start) * TOKEN_BYTES : (end - self.start) * TOKEN_BYTES]
        need = (self.start - begin) * TOKEN_BYTES
        parts = [self.segment[: (end - self.start) * TOKEN_BYTES]]
        above = self.parent
        while need and above is not None:
            part = above.segment[-need:]
            parts.append(part)
            need -= len(part)
            above = above.parent
        return b"".join(reversed(parts))

    def _last_hash(self) -> int | None:
        """The last whole block of the path down to here."""
        node: _Node | None = self
        while node is not None:
            if node.hashes:
                return node.hashes[-1]
            node = node.parent
        return None
