"""Stop strings: found wherever the tokens split them, and never shown in part."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from radixa.engine.text import TextStream


@dataclass
class Pieces:
    """A decoder whose tokens are the indices of given pieces of text."""

    pieces: list[str]
    tail: str = ""
    seen: list[int] = field(default_factory=list)

    def add(self, token_id: int) -> str:
        self.seen.append(token_id)
        return self.pieces[token_id]

    def flush(self) -> str:
        return self.tail


def stream(pieces: list[str], stops: tuple[str, ...], tail: str = "") -> tuple[list[str], TextStream]:
    text = TextStream(Pieces(pieces, tail), stops)
    shown = []
    for index in range(len(pieces)):
        shown.append(text.add(index))
        if text.stopped:
            break
    shown.append(text.flush())
    return shown, text


def first_stop(whole: str, stops: tuple[str, ...]) -> int | None:
    found = [at for stop in stops if (at := whole.find(stop)) >= 0]
    return min(found) if found else None


letters = st.text(alphabet="ab", min_size=1, max_size=4)


@given(st.lists(st.text(alphabet="ab", max_size=3), max_size=12), st.lists(letters, max_size=3).map(tuple))
def test_what_is_shown_is_the_text_before_the_first_stop(pieces: list[str], stops: tuple[str, ...]) -> None:
    shown, text = stream(pieces, stops)
    joined = "".join(shown)
    # The stream ends at the piece that completes a stop string; the naive answer looks at the same pieces.
    seen = "".join(pieces[: len(shown) - 1])
    at = first_stop(seen, stops)
    assert text.stopped == (at is not None)
    assert joined == (seen if at is None else seen[:at])


@given(st.lists(st.text(alphabet="ab", max_size=3), max_size=12), st.lists(letters, min_size=1, max_size=3).map(tuple))
def test_no_part_of_a_stop_string_is_ever_shown(pieces: list[str], stops: tuple[str, ...]) -> None:
    text = TextStream(Pieces(pieces), stops)
    shown = ""
    for index in range(len(pieces)):
        shown += text.add(index)
        assert first_stop(shown, stops) is None
        if text.stopped:
            return


def test_held_text_comes_out_at_the_end() -> None:
    shown, text = stream(["Hello", " E", "N"], ("END",))
    assert shown == ["Hello", " ", "", "EN"]
    assert not text.stopped


def test_a_stop_string_across_the_decoders_last_text() -> None:
    shown, text = stream(["ab"], ("bc",), tail="c!")
    assert "".join(shown) == "a"
    assert text.stopped


def test_without_a_decoder_there_is_no_text() -> None:
    text = TextStream(None)
    assert text.add(7) == ""
    assert text.flush() == ""
