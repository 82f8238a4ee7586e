"""Several rankings as one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from radixa.documents.ranking import DAMPING, fused

RANKINGS = st.lists(st.lists(st.integers(0, 9), unique=True), max_size=4)


def test_what_two_know_beats_what_one_puts_first() -> None:
    assert [one for one, _ in fused([["a", "b"], ["c", "b"]])] == ["b", "a", "c"]


def test_scores_are_those_of_the_formula() -> None:
    assert dict(fused([["a", "b"], ["b"]])) == {"a": 1 / (DAMPING + 1), "b": 1 / (DAMPING + 2) + 1 / (DAMPING + 1)}


@given(RANKINGS)
def test_everything_is_there_once_and_in_order(rankings: list[list[int]]) -> None:
    found = fused(rankings)
    assert sorted(one for one, _ in found) == sorted({one for ranking in rankings for one in ranking})
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


@given(st.lists(st.integers(0, 9), unique=True))
def test_one_ranking_alone_stays_as_it_is(ranking: list[int]) -> None:
    assert [one for one, _ in fused([ranking, []])] == ranking
