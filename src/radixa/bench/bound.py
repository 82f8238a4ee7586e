"""What an infinite cache could have spared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from radixa.bench.base import Measurement
from radixa.core.base import Message
from radixa.core.tokens import count
from radixa.radix import NOTHING, Tree


def bound(
    measurements: Iterable[Measurement],
    prompt: Callable[[Sequence[Message]], bytes],
    text: Callable[[str], bytes],
) -> float:
    """1 - distinct tree tokens / prompt tokens, over the requests in the order in which they were sent.

    `prompt` gives the tokens of a conversation with the opening of the next answer, `text` those of an answer. A token
    is distinct where no earlier prompt or answer held it at the same path: an answer's KV is there when the next turn
    repeats it, so a cache need not compute it a second time.
    """
    tree = Tree(NOTHING)
    total = distinct = 0
    for m in measurements:
        key = prompt(m.request.messages)
        matched = tree.insert(key, None).matched
        tree.insert(key + text(m.answer), None)
        total += count(key)
        distinct += count(key) - matched
    return 1 - distinct / total
