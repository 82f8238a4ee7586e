"""Why a prompt left the cache, in words: what it means and what to do about it."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from radixa.cli.common import age


class Words(NamedTuple):
    short: str
    """After "12 of 80 prompt tokens cached"."""
    meaning: str
    advice: str


_WORDS = {
    "never_seen": Words(
        "the rest is new",
        "nothing that goes on like this was in the cache before",
        "From its next answer on it is kept. POST /v1/cache/warm computes it before anybody asks.",
    ),
    "diverged": Words(
        "the rest differs from what is cached",
        "the cache goes on with something else here",
        "All that follows is computed again. Put what stays the same first, and what changes after it.",
    ),
    "evicted": Words(
        "the rest was evicted {ago}",
        "it was in the cache until it was evicted {ago}, for want of room or because somebody dropped it",
        "cache_ttl_seconds, high_priority or pin keep it longer; [engine] kv_bytes gives the cache more room.",
    ),
    "expired": Words(
        "the rest expired {ago}",
        "it was in the cache until its TTL ran out {ago}, and then had to go",
        "A longer cache_ttl_seconds keeps it; so does pin, until somebody drops it.",
    ),
    "namespace": Words(
        "the rest is cached under another cache_salt",
        "it is in the cache under another cache_salt of the same account",
        "Send the cache_salt under which it was sent, or none if it was sent without one.",
    ),
    "disabled": Words(
        "the cache is off for it",
        "this request does not read the cache",
        'Leave out "prompt_cache": false and "cache_control": "no-cache"; where [cache] default is "opt-in", send '
        '"prompt_cache": true.',
    ),
    "below_minimum": Words(
        "the rest is less than a page",
        "what follows is less than a page, the least that is kept",
        "Nothing is wrong: fewer than [engine] page_size tokens are computed again.",
    ),
}


def words(miss: dict[str, Any]) -> Words:
    """Of a `miss` as the server tells it; a reason that is not known here stands for itself."""
    reason = str(miss.get("reason"))
    known = _WORDS.get(reason, Words(reason, reason, ""))
    then = miss.get("evicted_at") or miss.get("expired_at")
    ago = age(max(0.0, time.time() - then)) if then else "before"
    return Words(*(text.replace("{ago}", ago) for text in known))
