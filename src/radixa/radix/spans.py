"""Where the nodes of new tokens end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from radixa.core.tokens import TOKEN_BYTES
from radixa.radix.base import UNKNOWN, Origin, Span


def pieces(pos: int, end: int, page: int, longest: int | None, spans: Sequence[Span]) -> Iterator[tuple[int, Origin]]:
    """Ends and origins of the nodes for the tokens from `pos` to `end`.

    All numbers but those of `spans` are in bytes. A span that ends within a page ends with the page before;
    `longest`, whole pages, is the most that one node takes.
    """
    longest = longest or end
    origin = UNKNOWN
    for stop, origin in spans:
        limit = stop * TOKEN_BYTES
        limit = min(limit - limit % page, end)
        while pos < limit:
            pos = min(pos + longest, limit)
            yield pos, origin
    while pos < end:
        pos = min(pos + longest, end)
        yield pos, origin
