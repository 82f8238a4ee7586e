"""The tree answers as the naive model does, whatever is asked of it in whatever order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from radixa.core.tokens import pack, unpack
from radixa.radix import Node, Tree, flush
from tests.radix.naive import Naive, Tokens
from tests.radix.payloads import STAMPS

# A key: an earlier one, so many letters of it, and what comes then. Thus paths meet, and part at every place.
KEYS = st.tuples(st.integers(0, 20), st.integers(0, 12), st.lists(st.integers(0, 2), max_size=6).map(tuple))
NAMESPACES = st.sampled_from(["a", "a", "a", "a/b", "ab", ""])
Key = tuple[int, int, Tokens]


class TreeAgainstNaive(RuleBasedStateMachine):
    @initialize(page_size=st.integers(1, 4), repeat=st.sampled_from([1, 1, 3, 40]))
    def make(self, page_size: int, repeat: int) -> None:
        self.tree: Tree[Tokens] = Tree(STAMPS, page_size=page_size, clock=lambda: 0.0)
        self.naive = Naive(page_size)
        self.repeat = repeat
        self.keys: list[Tokens] = [()]
        self.stamp = 0
        self.locked: list[tuple[Node[Tokens], Tokens, str]] = []

    def tokens(self, key: Key) -> Tokens:
        """Each letter stands for `repeat` tokens, so that some segments are long."""
        which, kept, letters = key
        self.keys.append((self.keys[which % len(self.keys)][:kept] + letters)[:14])
        return tuple(letter for letter in self.keys[-1] for _ in range(self.repeat))

    @rule(key=KEYS, namespace=NAMESPACES)
    def peek(self, key: Key, namespace: str) -> None:
        tokens = self.tokens(key)
        version = self.tree.version
        assert self.tree.peek(pack(tokens), namespace) == self.naive.peek(tokens, namespace)
        assert self.tree.version == version

    @rule(key=KEYS, namespace=NAMESPACES, limit=st.none() | st.integers(0, 30), lock=st.booleans())
    def match(self, key: Key, namespace: str, limit: int | None, lock: bool) -> None:
        tokens = self.tokens(key)
        found = self.tree.match(pack(tokens), namespace, limit)
        assert found.tokens == self.naive.match(tokens[:limit], namespace)
        path = tokens[: found.tokens]
        assert b"".join(node.segment for node in found.node.path()) == pack(path)
        if lock:
            self.tree.lock(found.node)
            self.naive.lock(path, namespace, by=1)
            self.locked.append((found.node, path, namespace))

    @rule(key=KEYS, namespace=NAMESPACES, from_matched=st.booleans())
    def insert(self, key: Key, namespace: str, from_matched: bool) -> None:
        tokens = self.tokens(key)
        stamps = tuple(range(self.stamp, self.stamp + len(tokens)))
        self.stamp += len(tokens)
        start = self.tree.peek(pack(tokens), namespace) // 2 if from_matched else 0
        found = self.tree.insert(pack(tokens), stamps[start:], namespace, start)
        assert found.matched == self.naive.insert(tokens, stamps, namespace)
        assert found.unused == stamps[start : found.matched]
        whole = tokens[: self.naive.pages(len(tokens))]
        assert b"".join(node.segment for node in found.node.path()) == pack(whole)

    @precondition(lambda self: self.locked)
    @rule(data=st.data())
    def unlock(self, data: st.DataObject) -> None:
        node, path, namespace = self.locked.pop(data.draw(st.integers(0, len(self.locked) - 1)))
        self.tree.unlock(node)
        self.naive.lock(path, namespace, by=-1)

    @rule(tokens=st.integers(0, 10) | st.integers(0, 60))
    def evict(self, tokens: int) -> None:
        before = self.tree.evicted
        gone = self.naive.evict(tokens)
        found = self.tree.evict(tokens)
        assert found.payloads == [piece.stamps for piece in gone]
        assert found.tokens == sum(piece.tokens for piece in gone) == self.tree.evicted - before

    @rule(namespace=st.none() | NAMESPACES, rarely=st.integers(0, 9))
    def flush(self, namespace: str | None, rarely: int) -> None:
        if rarely:
            return
        beneath = {None: {"", "a", "a/b", "ab"}, "a": {"a", "a/b"}}.get(namespace, {namespace})
        gone = [piece for piece in self.naive.pieces if piece.namespace in beneath and not piece.locks]
        self.naive.pieces = [piece for piece in self.naive.pieces if piece not in gone]
        found = flush(self.tree, namespace)
        assert sorted(found.payloads) == sorted(piece.stamps for piece in gone)
        assert found.tokens == sum(piece.tokens for piece in gone)

    @invariant()
    def same(self) -> None:
        self.tree.check_integrity()
        pieces = self.naive.pieces
        expected = {(p.namespace, p.path, p.start, p.stamps, p.locks) for p in pieces}
        found = set()
        for space in self.tree.spaces.values():
            pending = list(space.root.children.values())
            while pending:
                node = pending.pop()
                path = tuple(unpack(b"".join(above.segment for above in node.path())))
                found.add((space.name, path, len(path) - node.tokens, node.payload, node.locks))
                pending += node.children.values()
        assert found == expected
        assert self.tree.tokens == sum(p.tokens for p in pieces)
        assert self.tree.evictable == sum(p.tokens for p in pieces if not p.locks)
        sizes = {name: sum(p.tokens for p in pieces if p.namespace == name) for name in ("", "a", "a/b", "ab")}
        assert self.tree.namespaces() == {name: size for name, size in sizes.items() if size}


TreeAgainstNaive.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_tree_against_naive = TreeAgainstNaive.TestCase
