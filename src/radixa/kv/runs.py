"""Slots of a stretch of tokens, as the runs they lie in, in the tokens' order: the payload of the engine's tree."""

from __future__ import annotations

from collections.abc import Iterable

from radixa.kv.base import SlotRun
from radixa.radix import PayloadType

Runs = tuple[SlotRun, ...]


def count(runs: Iterable[SlotRun]) -> int:
    """Slots in all of them."""
    return sum([run.length for run in runs])


def split(runs: Runs, tokens: int) -> tuple[Runs, Runs]:
    """The slots of the first `tokens` tokens, and those of the rest."""
    if tokens <= 0:
        return (), runs
    for index, (start, length) in enumerate(runs):
        if tokens < length:
            first = (*runs[:index], SlotRun(start, tokens))
            return first, (SlotRun(start + tokens, length - tokens), *runs[index + 1 :])
        tokens -= length
        if not tokens:
            return runs[: index + 1], runs[index + 1 :]
    return runs, ()


def join(first: Runs, second: Runs) -> Runs:
    """Both, one after the other; where the second goes on in the slot after the first, they become one run."""
    if not first or not second:
        return first or second
    last, following = first[-1], second[0]
    if last.start + last.length != following.start:
        return first + second
    return (*first[:-1], SlotRun(last.start, last.length + following.length), *second[1:])


RUNS: PayloadType[Runs] = PayloadType(split=split, join=join)
