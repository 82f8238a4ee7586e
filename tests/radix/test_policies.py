"""Eviction policies: against libcachesim, on workloads of several shapes, and that they keep their books."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.tokens import TOKEN_BYTES, count, pack
from radixa.radix import NOTHING, Keep, Origin, Span, Tree, flush, policy
from radixa.radix.policies.arc import Arc
from radixa.radix.policies.default import Default

MOONCAKE = Path(__file__).parents[3] / "shared" / "traces" / "mooncake_synthetic_trace.jsonl"

Prompt = list[int]
Asked = tuple[Prompt, Prompt]
"""Prompt and output."""


def hit_rate(requests: Iterable[Asked], name: str, capacity: int, *, blocks: bool = False) -> float:
    """Percent of prompt tokens that hit: match, lock, evict what is missing, insert, unlock."""
    now = 0.0
    tree = Tree(NOTHING, policy=policy(name), max_segment=1 if blocks else None, clock=lambda: now)
    hits = asked = 0
    for prompt, output in requests:
        now += 1.0
        key, whole = pack(prompt), pack(prompt + output)
        found = tree.match(key)
        hits += found.tokens
        asked += len(prompt)
        tree.lock(found.node)
        short = tree.tokens + count(whole) - found.tokens - capacity
        if short > 0:
            short -= tree.evict(short).tokens
        tree.insert(whole[: len(whole) - max(short, 0) * TOKEN_BYTES], None)
        tree.unlock(found.node)
    tree.check_integrity()
    return 100 * hits / asked


# ---- the classic policies, against libcachesim


def oracle(name: str, paths: Iterable[Prompt], capacity: int) -> float:
    """The same of a flat cache of blocks. A hit is a leading run; the last block of a request is used first."""
    libcachesim = pytest.importorskip("libcachesim", reason="libcachesim has no wheel for this machine")
    cache = getattr(libcachesim, name)(capacity)
    request = libcachesim.Request()
    request.obj_size = 1
    hits = asked = 0
    for path in paths:
        asked += len(path)
        for block in path:
            request.obj_id = block
            if not cache.find(request, False):
                break
            hits += 1
        for block in reversed(path):
            request.obj_id = block
            cache.get(request)
    return 100 * hits / asked


def chains(seed: int) -> list[Asked]:
    """Requests for leading parts of 60 documents, some liked more; every block names its whole prefix."""
    chance = random.Random(seed)
    documents = [[1000 * n + block for block in range(chance.randrange(1, 12))] for n in range(60)]
    likes = [1 / (n + 1) for n in range(60)]
    return [(chance.choices(documents, likes)[0][: chance.randrange(1, 12)], []) for _ in range(1500)]


@pytest.mark.parametrize("capacity", [40, 100, 200])
def test_lru_is_libcachesims(capacity: int) -> None:
    requests = chains(capacity)
    paths = [path for path, _ in requests]
    assert hit_rate(requests, "lru", capacity, blocks=True) == pytest.approx(oracle("LRU", paths, capacity))


@pytest.mark.parametrize("capacity", [10, 50, 150])
def test_arc_of_single_blocks_is_libcachesims(capacity: int) -> None:
    """Where no block hangs below another, leaf-first is no restriction. Two of libcachesim's roundings differ."""
    chance = random.Random(capacity)
    likes = [1 / (n + 1) for n in range(500)]
    paths = [[chance.choices(range(500), likes)[0]] for _ in range(5000)]
    expected = oracle("ARC", paths, capacity)
    assert hit_rate([(path, []) for path in paths], "arc", capacity, blocks=True) == pytest.approx(expected, abs=0.5)


def mooncake() -> list[Asked]:
    if not MOONCAKE.exists():
        pytest.skip("Mooncake's trace does not lie in ../shared/traces")
    numbers: dict[int, int] = {}
    rows = [json.loads(line) for line in MOONCAKE.read_text().splitlines()]
    return [([numbers.setdefault(block, len(numbers)) for block in row["hash_ids"]], []) for row in rows]


LRU = {512: 4.63, 1_000: 8.41, 2_000: 14.64, 5_000: 27.93, 10_000: 42.39, 20_000: 57.18, 50_000: 63.96}
"""Of that trace, computed independently of this project."""


def test_arc_on_a_public_trace() -> None:
    requests = mooncake()
    flat = {1_000: 9.11, 5_000: 28.40, 20_000: 59.30}
    for capacity, expected in flat.items():
        assert hit_rate(requests, "arc", capacity, blocks=True) == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("capacities", [[1_000, 10_000], pytest.param(list(LRU), marks=pytest.mark.slow)])
def test_default_on_a_public_trace(capacities: list[int]) -> None:
    """At no capacity more than 0.3 points below LRU, and better on average."""
    requests = mooncake()
    gains = [hit_rate(requests, "default", capacity, blocks=True) - LRU[capacity] for capacity in capacities]
    assert min(gains) > -0.3
    assert sum(gains) / len(gains) > 0.5


# ---- workloads of several shapes, without a hint


def words(chance: random.Random, tokens: int) -> Prompt:
    return [chance.randrange(50_000) for _ in range(tokens)]


def liked_documents(chance: random.Random) -> Iterable[Asked]:
    documents = [words(chance, chance.randrange(200, 800)) for _ in range(100)]
    likes = [1 / (n + 1) for n in range(100)]
    for _ in range(1200):
        yield chance.choices(documents, likes)[0] + words(chance, 20), words(chance, 30)


def rounds(chance: random.Random) -> Iterable[Asked]:
    documents = [words(chance, 400) for _ in range(40)]
    for n in range(800):
        yield documents[n % 40] + words(chance, 5), words(chance, 5)


def conversations(chance: random.Random, flood: float = 0.0) -> Iterable[Asked]:
    systems = [words(chance, 300) for _ in range(3)]
    live = [chance.choice(systems) for _ in range(25)]
    for _ in range(1500):
        if chance.random() < flood:
            yield words(chance, 300), words(chance, 30)
            continue
        which = chance.randrange(25)
        prompt, output = live[which] + words(chance, 50), words(chance, 50)
        yield prompt, output
        live[which] = prompt + output if chance.random() < 0.8 else chance.choice(systems)


def beside_a_flood(chance: random.Random) -> Iterable[Asked]:
    return conversations(chance, flood=0.4)


@pytest.mark.parametrize(
    ("shape", "capacity", "gain"),
    [
        (liked_documents, 8_000, 2.0),
        (rounds, 8_000, 15.0),
        (beside_a_flood, 8_000, 2.0),
        (conversations, 4_000, -1.5),
        (conversations, 16_000, -1.5),
    ],
)
def test_default_against_lru(shape: Callable[[random.Random], Iterable[Asked]], capacity: int, gain: float) -> None:
    """Better where something can be learned; where nobody can know more than LRU does, not much worse."""
    requests = list(shape(random.Random(1)))
    assert hit_rate(requests, "default", capacity) > hit_rate(requests, "lru", capacity) + gain


# ---- what only a hint can tell


class Served:
    """A tree under the default policy and requests that say whose they are."""

    def __init__(self, capacity: int) -> None:
        self.now = 0.0
        self.policy = Default()
        self.capacity = capacity
        self.tree = Tree(NOTHING, policy=self.policy, clock=lambda: self.now)

    def ask(self, prompt: Prompt, output: Prompt, session: str, keep: Keep | None = None) -> int:
        self.now += 1.0
        found = self.tree.match(pack(prompt))
        self.tree.lock(found.node)
        self.tree.evict(max(0, self.tree.tokens + len(prompt + output) - found.tokens - self.capacity))
        spans = [Span(len(prompt), Origin("user", session)), Span(len(prompt + output), Origin("assistant", session))]
        end = self.tree.insert(pack(prompt + output), None, spans=spans).node
        if keep is not None:
            self.tree.retain(end, keep)
        self.tree.unlock(found.node)
        return found.tokens


def test_conversations_stay_where_questions_never_come_back() -> None:
    """Two applications of the same sizes: sessions of one go on, those of the other never do. LRU cannot know."""
    chance = random.Random(3)
    served = Served(6_000)
    chat, search = words(chance, 80), words(chance, 80)
    live = [chat for _ in range(12)]
    hits = asked = 0
    for n in range(900):
        if n % 2:
            served.ask(search + words(chance, 200), words(chance, 20), f"search {n}")
            continue
        which = n // 2 % 12
        prompt, output = live[which] + words(chance, 20), words(chance, 20)
        found = served.ask(prompt, output, f"chat {which}")
        live[which] = prompt + output if len(prompt) < 400 else chat
        if n > 300:
            hits, asked = hits + found, asked + len(prompt)
    served.tree.check_integrity()
    assert hits / asked > 0.85


def test_turns_of_a_session_are_counted_by_its_requests() -> None:
    """One that comes in pieces and then grows is one; the next turn is another, also where it leaves the path."""
    served = Served(10_000)
    first = list(range(100))
    served.ask(first, [1, 2], "s")
    end = served.tree.match(pack([*first, 1, 2])).node
    served.tree.lock(end)
    for piece in range(3):
        served.now += 1
        key = pack([*first, 1, 2, *range(10 * (piece + 1))])
        served.tree.insert(key, None, spans=[Span(len(key) // TOKEN_BYTES, Origin("user", "s"))])
    served.tree.grow(served.tree.match(key).node, pack([5, 6]), None)
    served.tree.unlock(end)
    served.ask([*first, 7], [8], "s")
    served.policy._sort()
    session = served.policy._sessions.of(served.tree.match(pack([*first, 7, 8])).node)
    assert session is not None
    assert session.turns == 3


# ---- the books

OPERATIONS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 2), min_size=1, max_size=6),
        st.lists(st.integers(0, 2), max_size=3),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(["", "x"]),
        st.sampled_from(["ask", "ask", "ask", "flush", "retain", "grow"]),
    ),
    max_size=60,
)


@given(operations=OPERATIONS, capacity=st.integers(4, 20), make=st.sampled_from([Arc, Default]))
@settings(max_examples=200, deadline=None)
def test_whatever_happens_the_tree_is_sound_and_the_policy_knows_its_size(
    operations: list[tuple[Prompt, Prompt, str, str, str]], capacity: int, make: type[Arc] | type[Default]
) -> None:
    now = 0.0
    made: Any = make()
    tree = Tree(NOTHING, policy=made, budget=capacity // 2, clock=lambda: now)
    for prompt, output, session, namespace, what in operations:
        now += 1.0
        if what == "flush":
            flush(tree, namespace or None)
        found = tree.match(pack(prompt), namespace)
        tree.lock(found.node)
        whole = prompt + output
        short = tree.tokens + len(whole) - found.tokens - capacity
        if short > 0:
            short -= tree.evict(short).tokens
        kept = whole[: len(whole) - max(short, 0)]
        spans = [Span(len(prompt), Origin("user", session)), Span(len(whole), Origin("assistant", session))]
        end = tree.insert(pack(kept), None, namespace, spans=spans).node
        if what == "grow" and len(kept) + 2 <= capacity - tree.tokens and not end.children and end.parent is not None:
            tree.grow(end, pack([1, 2]), None)
        if what == "retain":
            tree.retain(end, Keep(ttl=3.0))
        tree.unlock(found.node)
        tree.check_integrity()
        assert tree.tokens <= capacity
        size = sum(made._tokens) if isinstance(made, Arc) else made._tokens
        assert size == tree.tokens
        if isinstance(made, Arc):
            again = sum(node.tokens for node in nodes(tree) if made.group(node))
            assert made._tokens[1] == again
    assert tree.evict(10**6).tokens >= 0
    assert tree.tokens == 0


def nodes(tree: Tree[None]) -> list[Any]:
    found = []
    pending = [child for root in tree.roots() for child in root.children.values()]
    while pending:
        node = pending.pop()
        found.append(node)
        pending.extend(node.children.values())
    return found


def test_memory_is_bounded_by_what_the_tree_holds() -> None:
    chance = random.Random(0)
    served = Served(2_000)
    for n in range(3_000):
        served.ask(words(chance, 30), words(chance, 10), f"s{n}")
    made = served.policy
    assert made._ghosts.tokens <= 8 * 2_000
    assert len(made._standing) <= served.tree.nodes
    assert len(made._sessions._known) <= 1024
    assert len(made._kinds) < 200
    for _ in range(2_000):  # nothing is evicted, nothing is new
        served.tree.match(pack([1]))
    assert len(made._unsorted) <= 300
