"""The tree as a flat list: every question scans all of it. What the real one must equal."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

Tokens = tuple[int, ...]


@dataclass(eq=False)
class Piece:
    """The tokens of `path` from `start` on, and a payload of one stamp for each."""

    namespace: str
    path: Tokens
    start: int
    used: int
    stamps: Tokens
    locks: int = 0

    @property
    def tokens(self) -> int:
        return len(self.path) - self.start


class Naive:
    def __init__(self, page_size: int = 1) -> None:
        self.page_size = page_size
        self.pieces: list[Piece] = []  # in the order in which they came to be
        self.now = 0

    def pages(self, tokens: int) -> int:
        return tokens - tokens % self.page_size

    def shared(self, piece: Piece, namespace: str, key: Tokens) -> int:
        pairs = zip(piece.path, key, strict=False) if piece.namespace == namespace else ()
        return self.pages(len(list(takewhile(lambda pair: pair[0] == pair[1], pairs))))

    def peek(self, key: Tokens, namespace: str) -> int:
        key = key[: self.pages(len(key))]
        return max([self.shared(piece, namespace, key) for piece in self.pieces], default=0)

    def match(self, key: Tokens, namespace: str) -> int:
        self.now += 1
        key = key[: self.pages(len(key))]
        for piece in list(self.pieces):
            shared = self.shared(piece, namespace, key)
            if shared <= piece.start:
                continue
            piece.used = self.now  # also where only a part matches: the rest, which stays this piece, has the new time
            if shared < len(piece.path):
                cut = shared - piece.start
                first = Piece(namespace, piece.path[:shared], piece.start, self.now, piece.stamps[:cut], piece.locks)
                self.pieces.append(first)
                piece.start, piece.stamps = shared, piece.stamps[cut:]
        return self.peek(key, namespace)

    def insert(self, key: Tokens, stamps: Tokens, namespace: str) -> int:
        matched = self.match(key, namespace)
        whole = self.pages(len(key))
        if matched < whole:
            self.pieces.append(Piece(namespace, key[:whole], matched, self.now, stamps[matched:whole]))
        return matched

    def lock(self, path: Tokens, namespace: str, by: int) -> None:
        for piece in self.pieces:
            if piece.namespace == namespace and path[: len(piece.path)] == piece.path:
                piece.locks += by

    def leaf(self, piece: Piece) -> bool:
        below = [other for other in self.pieces if other.start == len(piece.path)]
        return not any(self.shared(other, piece.namespace, piece.path) >= other.start for other in below)

    def evict(self, tokens: int) -> list[Piece]:
        gone: list[Piece] = []
        while sum(piece.tokens for piece in gone) < tokens:
            leaves = [piece for piece in self.pieces if not piece.locks and self.leaf(piece)]
            if not leaves:
                break
            gone.append(min(leaves, key=lambda piece: piece.used))
            self.pieces.remove(gone[-1])
        return gone
