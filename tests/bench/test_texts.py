from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.bench.texts import fit
from radixa.core.tokens import count, pack, unpack

from .fakes import WordTokenizer


@given(st.lists(st.text("ab c.", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=20), st.integers(1, 20))
def test_a_text_is_as_long_as_was_asked(pieces: list[str], tokens: int) -> None:
    codec = WordTokenizer()
    whole = " ".join(pieces)
    if count(codec.encode(whole)) < tokens:
        with pytest.raises(ValueError, match=f"{tokens} were wanted"):
            fit(pieces, tokens, codec)
        return
    text = fit(pieces, tokens, codec)
    assert whole.startswith(text)
    # A cut that ends in a space loses it, and then the text is shorter by the spaces in a row there.
    assert count(codec.encode(text)) <= tokens
    assert text == text.rstrip()


class PairTokenizer:
    """Two letters a token, and a single one at the end: a cut text is tokenised anew like the whole."""

    def encode(self, text: str, *, special: bool = True) -> bytes:
        return pack(int.from_bytes(text[i : i + 2].encode(), "big") for i in range(0, len(text), 2))

    def decode(self, token_ids: list[int], *, skip_special: bool = True) -> str:
        return "".join(chr(i >> 8) + chr(i & 255) if i > 255 else chr(i) for i in token_ids)


def test_the_count_is_exact_where_a_cut_allows_it() -> None:
    codec = PairTokenizer()
    text = fit(["abcdefgh", "ijklmnopqr"], 6, codec, "-")
    assert text == "abcdefgh-ijk"
    assert len(unpack(codec.encode(text))) == 6
