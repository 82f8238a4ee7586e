"""Log-probabilities of given tokens, from engines that only tell those of tokens they generate.

A token is made certain by a bias and generated once; what it is told to have had is from before the bias. So every
token of every choice takes one step of one token, after a prompt that is in the cache but for its end; what choices
begin with alike is asked once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from radixa.lang.choices import ChoicesMethod, Decision

Ids = tuple[int, ...]
Ask = Callable[[Ids, int], float]
"""The log-probability of a token after a prompt of at least one token."""

CERTAIN = 100.0
"""The bias that makes a token certain: the largest that is allowed."""
AT_ONCE = 16


def decide(
    prompt: str,
    choices: Sequence[str],
    method: ChoicesMethod,
    tokenize: Callable[[str], Sequence[int]],
    ask: Ask,
) -> Decision:
    """The best choice. Tokens are compared from where the first of the choices changes how the prompt is cut."""
    alone = tuple(tokenize(prompt))
    whole = [tuple(tokenize(prompt + choice)) for choice in choices]
    start = min(_shared(alone, ids) for ids in whole)
    start = max(1, min(start, *(len(ids) - 1 for ids in whole)))
    wanted = {(ids[:at], ids[at]) for ids in whole for at in range(start, len(ids))}
    free: list[Ids] = []
    if method.unconditional:
        opening = tuple(tokenize(""))
        free = [(*opening, *ids[start:]) for ids in whole]
        wanted |= {(ids[:at], ids[at]) for ids in free for at in range(max(1, len(opening)), len(ids))}
    found = _asked(sorted(wanted), ask)
    given = [[found[ids[:at], ids[at]] for at in range(start, len(ids))] for ids in whole]
    # A first token after nothing has no probability of its own: it counts as certain for all.
    lone = [
        [found.get((ids[:at], ids[at]), 0.0) for at in range(len(ids))][-len(row) :]
        for ids, row in zip(free, given, strict=False)
    ]
    return method.decide(choices, given, lone)


def _shared(one: Ids, other: Ids) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _asked(wanted: Sequence[tuple[Ids, int]], ask: Ask) -> dict[tuple[Ids, int], float]:
    if len(wanted) == 1:
        return {wanted[0]: ask(*wanted[0])}
    # The first goes ahead: what all the others begin with is in the cache then.
    found = {wanted[0]: ask(*wanted[0])}
    with ThreadPoolExecutor(min(AT_ONCE, len(wanted)), thread_name_prefix="radixa-score") as pool:
        values = pool.map(lambda pair: ask(*pair), wanted[1:])
        found.update(zip(wanted[1:], values, strict=True))
    return found
