"""What the policies are made of: lifetimes, worths, ghosts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.core.tokens import pack
from radixa.radix import NOTHING, Tree
from radixa.radix.policies.ghosts import Ghosts
from radixa.radix.policies.lifetimes import BINS, EDGES, Lifetimes, age_bin, either, worths


@given(age=st.floats(0, 1e9))
def test_an_age_lies_in_its_bin(age: float) -> None:
    at = age_bin(age)
    assert at == 0 or age >= EDGES[at] * (1 - 1e-9)
    assert at == BINS - 1 or age < EDGES[at + 1] * (1 + 1e-9)


def slow_worth(chances: list[float], at: int) -> float:
    """The best ratio of uses to seconds over all ages at which one gives up."""
    best = uses = seconds = 0.0
    left = 1.0
    for ahead in range(at, BINS):
        seconds += left * (EDGES[ahead + 1] - EDGES[ahead]) * (1 - chances[ahead] / 2)
        uses += left * chances[ahead]
        left *= 1 - chances[ahead]
        best = max(best, uses / seconds)
    return best


@given(
    chances=st.lists(st.one_of(st.just(0.0), st.floats(0.0, 0.6)), min_size=BINS, max_size=BINS),
    start=st.integers(0, BINS - 1),
)
def test_worths_are_the_best_ratios(chances: list[float], start: int) -> None:
    found = worths(chances, start)
    left = 1.0
    for at in range(start, BINS):
        if left < 1e-6:
            break
        assert found[at] == pytest.approx(slow_worth(chances, at), rel=1e-3, abs=1e-9)
        left *= 1 - chances[at]
    assert found[:start] == [found[start]] * start


def test_a_use_that_is_sure_to_come_gains_worth_as_it_nears() -> None:
    chances = [0.0] * BINS
    chances[age_bin(100.0)] = 0.9
    found = worths(chances, 0)
    assert found[age_bin(1.0)] == pytest.approx(0.9 / 100, rel=0.3)
    assert found[age_bin(1.0)] < found[age_bin(20.0)] < found[age_bin(64.0)]
    assert found[age_bin(1000.0)] == 0


def test_lifetimes_learn_and_lean_on_what_they_are_like() -> None:
    everything = Lifetimes()
    busy, idle = Lifetimes(everything), Lifetimes(everything)
    for _ in range(100):
        busy.begin(0, 1)
        busy.use(10, 1)
        idle.begin(0, 1)
        idle.end(1000, 1)
    ten = age_bin(10)
    assert busy.chances(1.0, renewal=1)[ten] > 0.95
    assert idle.chances(1.0, renewal=1)[ten] < 0.05
    assert everything.chances(1.0, renewal=1)[ten] == pytest.approx(0.5, abs=0.05)
    new = Lifetimes(busy)
    assert new.chances(1.0, renewal=1)[ten] > 0.9
    busy.fade()
    assert busy.used[ten] == 50


def test_what_waits_still_has_not_grown_old_unused() -> None:
    seen = Lifetimes()
    for _ in range(10):
        seen.begin(0, 1)
    seen.use(100, 1)
    young = [0.0] * BINS
    young[age_bin(1)] = 9.0
    hundred = age_bin(100)
    assert seen.chances(0.01, renewal=1)[hundred] < 0.2
    assert seen.chances(0.01, {seen: young}, renewal=2)[hundred] > 0.9


def test_either_of_two() -> None:
    assert either([0.5, 0.0], [0.5, 0.3]) == pytest.approx([0.75, 0.3])


def test_a_ghost_is_known_again_and_so_is_what_hung_below_it() -> None:
    tree = Tree(NOTHING, max_segment=2)
    ghosts: Ghosts[str] = Ghosts()
    path = tree.insert(pack([1, 2, 3, 4, 5, 6]), None).node.path()
    tree.evict(6)
    for node, mark in zip(reversed(path), "cba", strict=True):
        ghosts.put(node, mark)
    assert (len(ghosts), ghosts.tokens) == (3, 6)
    back = tree.insert(pack([1, 2, 3, 4, 5, 6]), None).node.path()
    assert [ghost.mark for node in back if (ghost := ghosts.take(node))] == ["a", "b", "c"]
    assert (len(ghosts), ghosts.tokens) == (0, 0)
    assert ghosts.take(back[0]) is None


def test_a_ghost_is_of_its_namespace_and_its_place() -> None:
    tree = Tree(NOTHING)
    ghosts: Ghosts[None] = Ghosts()
    gone = tree.insert(pack([1, 2]), None, "a").node
    tree.evict(2)
    ghosts.put(gone, None)
    assert ghosts.take(tree.insert(pack([1, 2]), None, "b").node) is None
    assert ghosts.take(tree.insert(pack([2, 1]), None, "a").node) is None
    assert ghosts.take(tree.insert(pack([1, 2]), None, "a").node) is not None


def test_the_oldest_ghost_goes_first() -> None:
    tree = Tree(NOTHING)
    ghosts: Ghosts[int] = Ghosts()
    for token in range(3):
        node = tree.insert(pack([token, 9]), None).node
        tree.evict(2)
        ghosts.put(node, token)
    assert [ghosts.oldest().mark, ghosts.oldest().mark] == [0, 1]
    assert ghosts.tokens == 2
