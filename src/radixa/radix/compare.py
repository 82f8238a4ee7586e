"""Where two keys part."""

from __future__ import annotations

from radixa.core.tokens import TOKEN_BYTES


def shared_bytes(segment: bytes, key: bytes, pos: int, end: int) -> int:
    """How many leading bytes of `segment`, in whole tokens, `key[pos:end]` begins with.

    All arguments are multiples of a token. Comparisons go forward in steps that double, because keys mostly part early,
    and then bisect the step that failed.
    """
    limit = min(len(segment), end - pos)
    low = 0
    step = 16 * TOKEN_BYTES
    while low + step < limit and key.startswith(segment[low : low + step], pos + low):
        low += step
        step += step
    high = min(low + step, limit)
    if high == limit and key.startswith(segment[low:high], pos + low):
        return limit
    while high - low > TOKEN_BYTES:
        middle = (low + high) // (2 * TOKEN_BYTES) * TOKEN_BYTES
        if key.startswith(segment[low:middle], pos + low):
            low = middle
        else:
            high = middle
    return low
