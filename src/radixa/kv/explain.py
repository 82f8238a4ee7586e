"""Why a prompt is reused no further: the place where it leaves the tree, and what is known of that place."""

from __future__ import annotations

import time
from collections.abc import Iterator
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING

from radixa.core.base import Explanation, Miss, Volatile
from radixa.core.tokens import TOKEN_BYTES, count
from radixa.kv.ghosts import CHECKED
from radixa.radix import Trace, account

if TYPE_CHECKING:
    from radixa.kv.radix_cache import RadixCache
    from radixa.kv.runs import Runs
    from radixa.radix import Node

SHOWN = 3
"""Paths of the tree that are shown where a prompt leaves it."""

SHOWN_TOKENS = 24
"""Tokens that are shown of each."""

MAX_NAMESPACES = 1000
"""Other namespaces of the account that are looked into."""

MAX_CHILDREN = 64
"""Children of a node that are looked at."""


def explain(cache: RadixCache, key: bytes, namespace: str, below: int, *, remember: bool) -> Explanation:
    """What of the prompt `key` would be found now, of which a lower tier has the first `below` tokens.

    With `remember` it counts in the search for volatile stretches.
    """
    prompt = count(key)
    trace = cache.tree.trace(key, namespace)
    page = cache.tree.page_size
    # The last token is always computed, and a page is found whole or not at all.
    least = (prompt - 1) // page * page
    here = min(trace.tokens, least)
    found = max(here, min(below, least))
    if found == least:
        miss = Miss(least, "below_minimum") if least < prompt - 1 else None
        return Explanation(prompt, found, disk_tokens=found - here, miss=miss)
    if found > here:
        miss = _gone(cache, key, namespace, found) or Miss(found, "never_seen")
        return Explanation(prompt, found, disk_tokens=found - here, miss=miss)
    volatile = _volatile(cache, key, namespace, trace, remember=remember)
    miss = _gone(cache, key, namespace, here) or _miss(cache, key, namespace, trace, prompt)
    return Explanation(prompt, here, miss=miss, volatile=volatile)


def _volatile(cache: RadixCache, key: bytes, namespace: str, trace: Trace[Runs], *, remember: bool) -> Volatile | None:
    """The stretch that changes with every request, where the prompt leaves the tree at one."""
    if not trace.tokens:
        return None
    if trace.partly is not None:
        other = _continuation(trace.partly, trace, count(key))
    elif trace.node.children:
        other = _last_used(trace, count(key))
    else:
        return None
    return cache.volatile.look(namespace, key, trace.tokens, other, remember=remember)


def _gone(cache: RadixCache, key: bytes, namespace: str, at: int) -> Miss | None:
    """The miss at `at` where what follows was in the cache and had to go."""
    left = cache.ghosts.departure(key, at, namespace)
    if left is None:
        return None
    then = time.time() - max(0.0, cache.tree.now() - left.at)
    return Miss(at, "expired" if left.expired else "evicted", then, left.tokens)


def _miss(cache: RadixCache, key: bytes, namespace: str, trace: Trace[Runs], prompt: int) -> Miss:
    at = trace.tokens
    if _elsewhere(cache, key, namespace, at, prompt):
        return Miss(at, "namespace")
    shown = _shown(trace)
    return Miss(at, "diverged", tree=shown) if shown else Miss(at, "never_seen")


def _elsewhere(cache: RadixCache, key: bytes, namespace: str, at: int, prompt: int) -> bool:
    """Whether another namespace of the same account has what follows. No other account's is looked into (law 4)."""
    others = islice(cache.tree.accounts.get(account(namespace), ()), MAX_NAMESPACES)
    worth = min(CHECKED, prompt - 1 - at)
    return any(cache.tree.peek(key, name) - at >= worth for name in others if name != namespace)


def _shown(trace: Trace[Runs]) -> tuple[bytes, ...]:
    if trace.partly is not None:
        return (_continuation(trace.partly, trace, SHOWN_TOKENS),)
    children = nlargest(SHOWN, _newest(trace.node), key=lambda child: child.used)
    return tuple(_continuation(child, trace, SHOWN_TOKENS) for child in children)


def _last_used(trace: Trace[Runs], tokens: int) -> bytes:
    return _continuation(max(_newest(trace.node), key=lambda child: child.used), trace, tokens)


def _newest(node: Node[Runs]) -> Iterator[Node[Runs]]:
    """The children that came last. A node may have thousands, and this is asked for every request."""
    return islice(reversed(node.children.values()), MAX_CHILDREN)


def _continuation(node: Node[Runs], trace: Trace[Runs], tokens: int) -> bytes:
    """Up to `tokens` tokens of the path through `node` that was used last, from where the prompt leaves."""
    parts = [node.segment[(trace.tokens - node.depth) * TOKEN_BYTES :]]
    size = len(parts[0])
    while size < tokens * TOKEN_BYTES and node.children:
        node = max(_newest(node), key=lambda child: child.used)
        parts.append(node.segment)
        size += len(node.segment)
    return b"".join(parts)[: tokens * TOKEN_BYTES]
