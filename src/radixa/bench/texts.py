"""Texts of an exact length in tokens."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from functools import cache

from radixa.bench.base import Codec
from radixa.core.tokens import count, unpack


def fit(pieces: Iterable[str], tokens: int, codec: Codec, separator: str = " ") -> str:
    """The first `tokens` tokens of the pieces joined by `separator`.

    Text cut in the middle of a word may be tokenised anew at its end, so the cut is moved by a token or two until the
    count is right; where no cut gives it, the nearest below stands. ValueError where the pieces are too short.
    """
    text = ""
    for piece in pieces:
        text = f"{text}{separator}{piece}" if text else piece
        if count(codec.encode(text)) >= tokens:
            break
    else:
        raise ValueError(f"the text has {count(codec.encode(text))} tokens, {tokens} were wanted")
    token_ids = unpack(codec.encode(text))
    best = ""
    for cut in range(tokens - 2, min(len(token_ids), tokens + 2) + 1):
        candidate = codec.decode(token_ids[:cut]).rstrip()
        length = count(codec.encode(candidate))
        if length == tokens:
            return candidate
        if length < tokens:
            best = candidate
    return best


def prose(chance: random.Random, tokens: int, codec: Codec) -> str:
    """`tokens` tokens of English: sentences of the Python language reference, in an order that chance gives."""
    # A sentence has more than one token, so there are enough of them. Most come in one piece, since each piece is
    # tokenised with all before it.
    chosen = chance.choices(_sentences(), k=tokens)
    most = tokens // 16
    return fit([" ".join(chosen[:most]), *chosen[most:]] if most else chosen, tokens, codec)


@cache
def _sentences() -> tuple[str, ...]:
    """Whole sentences of plain words, each once, in the order in which they stand."""
    from pydoc_data.topics import topics

    text = " ".join(" ".join(topics[name].split()) for name in sorted(topics))
    found = re.findall(r"(?<=[.!?] )[A-Z][A-Za-z ,'-]{30,160}[.!?](?= )", text)
    return tuple(dict.fromkeys(found))
