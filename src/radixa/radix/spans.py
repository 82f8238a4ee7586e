"""Where the nodes of new tokens end."""

from __future__ import annotations

from collections.abc import Sequence

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix.base import UNKNOWN, Origin, Span


def pieces(pos: int, end: int, page: int, longest: int | None, spans: Sequence[Span]) -> list[tuple[int, Origin]]:
    """Ends and origins of the nodes for the tokens from `pos` to `end`.

    All numbers but those of `spans` are in bytes. A span that ends within a page ends with the page before;
    `longest`, whole pages, is the most that one node takes.
    """
    if longest is None and not spans:
        return [(end, UNKNOWN)]
    longest = longest or end
    found = []
    for stop, origin in (*spans, Span(end // TOKEN_BYTES, spans[-1].origin if spans else UNKNOWN)):
        limit = stop * TOKEN_BYTES
        limit = min(limit - limit % page, end)
        while pos < limit:
            pos = min(pos + longest, limit)
            found.append((pos, origin))
    return found
