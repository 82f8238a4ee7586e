"""Sections to passages: cut where the document has its own seams, and never within a word if that can be.

A passage is what a search returns and what a prompt gets, so it is long enough to mean something by itself and short
enough for several to fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from radixa.documents.base import Section
from radixa.store.documents.base import NewPassage

AIM = 1_200
"""Characters from which on a passage is long enough: about 300 tokens of English."""
MOST = 1_800
"""Characters that a passage has at most."""
LEAST = 200
"""A section shorter than that is joined to the one before it, where both are under the same heading."""
LONGEST_HEADING = 300

_SEAMS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?])\s+|(?<=[。！？])"), re.compile(r"\s+"))


def split(sections: Sequence[Section]) -> list[NewPassage]:
    """Every word of the sections is in exactly one passage, in its order."""
    found: list[NewPassage] = []
    for section in _joined(sections):
        heading = " > ".join(section.headings)[:LONGEST_HEADING]
        found += [NewPassage(heading, text) for text in _packed(section.blocks)]
    return found


def _joined(sections: Sequence[Section]) -> list[Section]:
    """Short sections beside each other become one; their own headings go into its text."""
    found: list[Section] = []
    for section in sections:
        last = found[-1] if found else None
        if last is not None and len(section.headings) > 1 and min(_length(last), _length(section)) < LEAST:
            above = section.headings[:-1]
            if last.headings == above and _length(last) + _length(section) <= AIM:
                found[-1] = Section(above, (*last.blocks, section.headings[-1], *section.blocks))
                continue
            if last.headings[:-1] == above and len(last.headings) > 1 and _length(last) + _length(section) <= AIM:
                blocks = (last.headings[-1], *last.blocks, section.headings[-1], *section.blocks)
                found[-1] = Section(above, blocks)
                continue
        found.append(section)
    return found


def _length(section: Section) -> int:
    return sum(map(len, section.blocks))


def _packed(blocks: Sequence[str]) -> Iterator[str]:
    """Blocks put together up to `AIM`, those over `MOST` cut."""
    text = ""
    for block in blocks:
        for piece in _cut(block, 0):
            if text and (len(text) >= AIM or len(text) + 2 + len(piece) > MOST):
                yield text
                text = ""
            text = f"{text}\n\n{piece}" if text else piece
    if text:
        yield text


def _cut(text: str, seam: int) -> Iterator[str]:
    """`text` in pieces of at most `MOST`, cut at the coarsest seams that do."""
    if len(text) <= MOST:
        yield text
        return
    if seam == len(_SEAMS):
        for start in range(0, len(text), AIM):
            yield text[start : start + AIM]
        return
    start = end = resumed = 0
    for place, following in _places(text, _SEAMS[seam]):
        if end > start and place - start > AIM:
            yield from _cut(text[start:end], seam + 1)
            start = resumed
        end, resumed = place, following
    if text[start:].strip():
        yield from _cut(text[start:], seam + 1)


def _places(text: str, seam: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Where a piece may end, and where the next one begins then."""
    for found in seam.finditer(text):
        yield found.start(), found.end()
    yield len(text), len(text)
