"""Words of texts and queries, by the scripts they are written in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from radixa.store.documents.words import MOST_TERMS, pairs, parts, terms


def test_pairs_of_scripts_that_write_no_spaces() -> None:
    assert pairs("返品期限 is 30 일") == "返品 品期 期限 限 일"
    assert pairs("plain words") == ""


def test_terms_of_a_query() -> None:
    assert terms("Red CAR red 猫 返品期") == [
        ("猫", True),
        ("返品", False),
        ("品期", False),
        ("red", False),
        ("car", False),
    ]


def test_parts_lose_endings() -> None:
    assert parts("Packages, packaging of a car, 返品期限") == ["返品期", "品期限", "packag", "car"]


@given(st.text(st.characters(categories=["Lo", "Ll"]), min_size=1, max_size=8))
def test_a_word_finds_the_text_that_it_stands_in(word: str) -> None:
    held = {*pairs(f"x {word} y").split(), *(one for one, _ in terms(f"x {word} y"))}
    for term, begins in terms(word):
        assert term in held or (begins and any(one.startswith(term) for one in held))


@given(st.text(max_size=400))
def test_a_query_asks_for_so_much(query: str) -> None:
    assert len(terms(query)) <= MOST_TERMS
    assert len(parts(query)) <= MOST_TERMS
