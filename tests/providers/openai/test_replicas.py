"""Which replica gets what: load first, then the longest prefix."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from radixa.providers.openai.replicas import MARGIN, Replicas
from radixa.providers.upstream.pieces import MOST_PIECES, PIECE_BYTES, path_of
from radixa.providers.upstream.tracks import Tracks

ALL = (0, 1, 2)


def text(*parts: str) -> bytes:
    """A prompt of whole pieces, one for each part."""
    return b"".join(part.encode().ljust(PIECE_BYTES, b".") for part in parts)


@given(first=st.binary(max_size=2000), second=st.binary(max_size=2000), shared=st.binary(max_size=2000))
def test_prompts_that_begin_alike_have_paths_that_begin_alike(first: bytes, second: bytes, shared: bytes) -> None:
    pieces = len(shared) // PIECE_BYTES
    assert path_of(shared + first)[: 4 * pieces] == path_of(shared + second)[: 4 * pieces]
    assert len(path_of(shared)) == 4 * pieces


def test_a_path_is_bounded() -> None:
    assert len(path_of(b"x" * (PIECE_BYTES * MOST_PIECES * 2))) == 4 * MOST_PIECES


def test_a_conversation_stays_where_it_was() -> None:
    replicas = Replicas(3)
    places = {name: replicas.choose(text("system", name), "a", ALL) for name in ("x", "y", "z")}
    for name, place in places.items():
        for turns in (2, 3, 4):
            assert replicas.choose(text("system", name, *["more"] * turns), "a", ALL) == place


def test_what_nobody_has_seen_is_spread_evenly() -> None:
    replicas = Replicas(3)
    for i in range(30):
        replicas.choose(text(f"prompt {i}"), "a", ALL)
    assert replicas._given == [10, 10, 10]


def test_prompts_too_short_for_a_piece_are_spread_too() -> None:
    replicas = Replicas(3)
    assert sorted(replicas.choose(b"hello", "a", ALL) for _ in range(6)) == [0, 0, 1, 1, 2, 2]


def test_the_longer_prefix_wins() -> None:
    replicas = Replicas(3)
    assert replicas.choose(text("a"), "n", ALL) == 0
    assert replicas.choose(text("a", "b", "c"), "n", [1]) == 1
    assert replicas.choose(text("a", "b", "d"), "n", ALL) == 1
    assert replicas.choose(text("a", "x"), "n", [0, 2]) == 0


def test_a_hot_prefix_spreads_and_stays_spread() -> None:
    replicas = Replicas(2)
    running = []
    for i in range(2 * MARGIN + 2):
        number = replicas.choose(text("system", f"user {i}"), "a", (0, 1))
        holding = replicas.at(number)
        holding.__enter__()
        running.append(holding)
    assert min(replicas.running) > 0
    assert max(replicas.running) - min(replicas.running) <= MARGIN + 1
    for holding in running:
        holding.__exit__(None, None, None)
    assert replicas.running == [0, 0]
    # Both have it now, so both get it.
    assert {replicas.choose(text("system", f"again {i}"), "a", (0, 1)) for i in range(4)} == {0, 1}


def test_a_replica_that_is_not_ready_gets_nothing() -> None:
    replicas = Replicas(3)
    place = replicas.choose(text("a", "b"), "n", ALL)
    others = [number for number in ALL if number != place]
    assert replicas.choose(text("a", "b", "c"), "n", others) in others


def test_namespaces_do_not_meet() -> None:
    replicas = Replicas(3)
    first = replicas.choose(text("a", "b"), "one", ALL)
    with replicas.at(first):
        # Seen by `one` alone: for anybody else it goes to whoever has least to do.
        assert replicas.choose(text("a", "b"), "two", ALL) != first
        assert replicas.choose(text("a", "b"), "one", ALL) == first


def test_what_is_remembered_is_bounded() -> None:
    tracks = Tracks(most_pieces=100, most_nodes=20)
    for i in range(200):
        tracks.add(path_of(text(*[f"{i} {j}" for j in range(i % 12 + 1)])), f"n{i % 3}", i % 2)
        assert tracks.tree.tokens <= 100
        assert tracks.tree.nodes <= 20
        tracks.tree.check_integrity()


class TracksAgainstAList(RuleBasedStateMachine):
    """The tree answers what a list of all (path, number) would."""

    def __init__(self) -> None:
        super().__init__()
        self.tracks = Tracks()
        self.added: list[tuple[str, tuple[str, ...], int]] = []

    @rule(
        namespace=st.sampled_from(["a", "b"]),
        parts=st.lists(st.sampled_from("xyz"), min_size=1, max_size=6),
        number=st.integers(0, 3),
    )
    def add(self, namespace: str, parts: list[str], number: int) -> None:
        self.tracks.add(path_of(text(*parts)), namespace, number)
        self.added.append((namespace, tuple(parts), number))

    @invariant()
    def every_prefix_knows_who_saw_it(self) -> None:
        for namespace, parts, _ in self.added:
            for end in range(1, len(parts) + 1):
                known = {n for space, other, n in self.added if space == namespace and other[:end] == parts[:end]}
                longer = any(s == namespace and len(o) > end and o[:end] == parts[:end] for s, o, _ in self.added)
                seen = next(self.tracks.seen(path_of(text(*parts[:end])), namespace))
                assert seen == (end, known, not longer)


TestTracksAgainstAList = TracksAgainstAList.TestCase
TestTracksAgainstAList.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)


paths = st.lists(st.sampled_from("ab"), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(paths, st.booleans(), st.sets(st.integers(0, 2), min_size=1)), max_size=60))
def test_nobody_gets_ahead_by_more_than_the_margin(steps: list[tuple[list[str], bool, set[int]]]) -> None:
    replicas = Replicas(3)
    running = []
    for parts, ends, ready in steps:
        number = replicas.choose(text(*parts), "n", sorted(ready))
        assert number in ready
        assert replicas.running[number] <= min(replicas.running[n] for n in ready) + MARGIN
        holding = replicas.at(number)
        holding.__enter__()
        running.append(holding)
        if ends:
            running.pop(0).__exit__(None, None, None)
    for holding in running:
        holding.__exit__(None, None, None)
    assert replicas.running == [0, 0, 0]
