"""Words of texts and of queries, also of scripts that write none apart.

Where no spaces stand between words (Chinese, Japanese), or endings are written to them (Korean), a text is found by
pairs of neighbouring characters: `返品期限` holds `返品`, `品期`, `期限`, and its last character by itself, so that
each single character begins one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

MOST_TERMS = 64
"""Different terms of a query that are looked for."""

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"  # Hangul
    "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_RUN = re.compile(f"[{_UNSPACED}]+")
_WORD = re.compile(r"\w+")
_ENDINGS = ((9, 3), (6, 2), (3, 0))
"""Of a word of so many characters or more, in how many at its end its forms may differ."""


def pairs(text: str) -> str:
    """The pairs of all runs of such scripts in `text`, apart; empty where it has none."""
    return " ".join(pair for run in _RUN.findall(text) for pair in _pairs(run))


def terms(query: str) -> list[tuple[str, bool]]:
    """What a query asks for, in lower case and each once; True: anything that begins so."""
    found = ((word.lower(), begins) for word, begins in _terms(query))
    return list(islice(dict.fromkeys(found), MOST_TERMS))


def parts(query: str) -> list[str]:
    """Stretches of three characters or more that texts about the same thing hold somewhere, each once, in lower case.

    Long words lose their ending, so that `packaging` finds `packages`.
    """
    return list(islice(dict.fromkeys(_parts(query.lower())), MOST_TERMS))


def _pairs(run: str) -> Iterator[str]:
    for place in range(len(run)):
        yield run[place : place + 2]


def _terms(query: str) -> Iterator[tuple[str, bool]]:
    for run in _RUN.findall(query):
        if len(run) == 1:
            yield run, True
        for place in range(len(run) - 1):
            yield run[place : place + 2], False
    for word in _WORD.findall(_RUN.sub(" ", query)):
        yield word, False


def _parts(query: str) -> Iterator[str]:
    for run in _RUN.findall(query):
        for place in range(len(run) - 2):
            yield run[place : place + 3]
    for word in _WORD.findall(_RUN.sub(" ", query)):
        ending = next((ending for least, ending in _ENDINGS if len(word) >= least), None)
        if ending is not None:
            yield word[: len(word) - ending]
