"""Passages hold every word once, are not too long, and end where the document has seams."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.documents.base import Section
from radixa.documents.splitting import AIM, LEAST, LONGEST_HEADING, MOST, split

PARTS = st.sampled_from(["a", "ab ", "a. ", "ab。", "b\n", "a\n \n", "a b. b "])
TEXTS = st.lists(st.tuples(PARTS, st.integers(1, MOST)), min_size=1, max_size=2).map(
    lambda parts: "".join(part * times for part, times in parts)
)
BLOCKS = st.lists(TEXTS, min_size=1, max_size=3)
HEADINGS = st.lists(st.sampled_from("XYZ"), max_size=3).map(tuple)


@given(st.lists(st.builds(Section, HEADINGS, BLOCKS.map(tuple)), max_size=3))
@settings(max_examples=50)
def test_every_word_is_in_one_passage_in_its_order(sections: list[Section]) -> None:
    def letters(texts: list[str]) -> str:
        """Without those of headings, some of which go into the text."""
        return re.sub(r"[\sXYZ]", "", "".join(texts))

    found = split(sections)
    assert letters([passage.text for passage in found]) == letters([b for section in sections for b in section.blocks])
    assert all(0 < len(passage.text) <= MOST for passage in found)
    assert all(passage.text.strip() for passage in found)


def test_paragraphs_go_together_until_there_are_enough() -> None:
    block = "x" * (AIM // 3)
    found = split([Section(("A",), (block,) * 5)])
    assert [passage.text.count("\n\n") + 1 for passage in found] == [3, 2]
    assert {passage.heading for passage in found} == {"A"}


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    sentence = "The engine computes what is missing, and no more than that. "
    found = split([Section((), (sentence * 100,))])
    assert all(passage.text.strip().endswith(".") for passage in found)
    assert all(len(passage.text) <= AIM for passage in found)
    assert len(found) > 3


def test_a_word_is_cut_only_where_it_must_be() -> None:
    assert [len(passage.text) for passage in split([Section((), ("x" * (2 * AIM + 5),))])] == [AIM, AIM, 5]


def test_sections_are_not_mixed_unless_they_are_short() -> None:
    long, short = "x" * LEAST, "y" * 10
    apart = split([Section(("A", "B"), (long,)), Section(("A", "C"), (long,))])
    assert [passage.heading for passage in apart] == ["A > B", "A > C"]
    joined = split([Section(("A", "B"), (short,)), Section(("A", "C"), (long,)), Section(("A", "D"), (short,))])
    assert [(passage.heading, passage.text) for passage in joined] == [
        ("A", f"B\n\n{short}\n\nC\n\n{long}\n\nD\n\n{short}")
    ]
    others = split([Section(("A", "B"), (short,)), Section(("E", "C"), (short,)), Section(("F",), (short,))])
    assert [passage.heading for passage in others] == ["A > B", "E > C", "F"]


def test_a_heading_is_not_longer_than_it_may_be() -> None:
    assert [len(passage.heading) for passage in split([Section(("h" * 1000,), ("x",))])] == [LONGEST_HEADING]
