"""The order of passages: the same passages always, and the longest beginning that is held."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from radixa.documents.ordering import arranged
from radixa.documents.orders import LASTS_S, Orders

CHOSEN = st.lists(st.integers(0, 7), unique=True, max_size=6)
HELD = st.lists(st.lists(st.integers(0, 7), max_size=7), max_size=8)


def naive(chosen: list[int], held: list[list[int]]) -> int:
    """The most that any beginning of a held order gives, by trying all of them."""
    sizes = [0]
    for order in held:
        for end in range(1, len(order) + 1):
            beginning = order[:end]
            if len(set(beginning)) == end and set(beginning) <= set(chosen):
                sizes.append(sum(one + 1 for one in beginning))
    return max(sizes)


@given(CHOSEN, HELD)
def test_nothing_is_dropped_and_the_most_is_held(chosen: list[int], held: list[list[int]]) -> None:
    order, same = arranged(chosen, held, lambda one: one + 1)
    assert sorted(order) == sorted(chosen)
    assert order[:same] in [one[:same] for one in held] or same == 0
    assert sum(one + 1 for one in order[:same]) == naive(chosen, held)
    rest = [one for one in chosen if one not in order[:same]]
    assert order[same:] == rest


def test_without_anything_held_the_best_come_first() -> None:
    assert arranged(["c", "a", "b"], []) == (["c", "a", "b"], 0)


def test_the_longer_text_counts_more_than_the_number() -> None:
    lengths = {"a": 10, "b": 1, "c": 2}
    assert arranged(["a", "b", "c"], [["b", "c"], ["a"]], lengths.__getitem__) == (["a", "b", "c"], 1)


@given(st.lists(CHOSEN, max_size=12), CHOSEN)
def test_remembered_orders_give_what_a_list_of_them_would(past: list[list[int]], chosen: list[int]) -> None:
    orders = Orders(clock=lambda: 0.0)
    for order in past:
        orders.add("acct/col", order)
    held = orders.held("acct/col", chosen)
    assert all(any(tuple(order[: len(path)]) == path for order in past) for path in held)
    size = lambda one: one + 1  # noqa: E731
    mine, direct = arranged(chosen, held, size), arranged(chosen, past, size)
    assert mine[1] == 0 or sum(map(size, mine[0][: mine[1]])) == sum(map(size, direct[0][: direct[1]]))
    assert (mine[1] == 0) == (direct[1] == 0)


def test_orders_of_others_are_not_followed() -> None:
    orders = Orders()
    orders.add("one/col", [1, 2])
    orders.add("one/other", [2, 1])
    assert orders.held("two/col", [1, 2]) == []
    assert orders.held("one/col", [1, 2]) == [(1, 2)]


def test_an_order_is_followed_as_long_as_caches_keep_prompts() -> None:
    now = 0.0
    orders = Orders(clock=lambda: now)
    orders.add("a/c", [1, 2])
    now = LASTS_S - 1
    assert orders.held("a/c", [2, 1]) == [(1, 2)]
    orders.add("a/c", [3, 4])
    now += LASTS_S - 1
    assert orders.held("a/c", [1, 2, 3, 4]) == [(3, 4)]
    now += 2
    assert orders.held("a/c", [1, 2, 3, 4]) == []


def test_the_oldest_orders_are_forgotten_when_there_are_too_many() -> None:
    orders = Orders(capacity=4)
    for first in range(5):
        orders.add("a/c", [first, first + 10])
    assert orders.held("a/c", [0, 10, 1, 11, 2, 12]) == []
    assert orders.held("a/c", [4, 14, 3, 13]) == [(4, 14), (3, 13)]
