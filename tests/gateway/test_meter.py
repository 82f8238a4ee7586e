"""What an answer is counted as where nobody said it."""

from __future__ import annotations

from radixa.core.base import GenerateChunk, Usage
from radixa.core.money import FREE
from radixa.gateway.catalogue import Offer
from radixa.gateway.meter import Meter
from radixa.store.base import NO_LIMITS

OFFER = Offer("m", "p", "m", FREE, NO_LIMITS, None, None)


def meter(at_most: int | None) -> Meter:
    return Meter(OFFER, 0.0, 1, sent_bytes=40, at_most=at_most)


def test_an_estimate_is_of_what_was_sent_and_delivered() -> None:
    found = meter(None)
    found.note(GenerateChunk(0, "x" * 41))
    assert found.total() == Usage(10, completion_tokens=11, estimated=True)


def test_an_estimate_is_no_more_than_was_asked_for() -> None:
    """An upstream that ignores `max_tokens` and breaks off is billed as if it had kept to it."""
    found = meter(5)
    found.note(GenerateChunk(0, "x" * 5_000_000))
    assert found.total().completion_tokens == 5


def test_what_an_upstream_counted_is_believed() -> None:
    found = meter(5)
    found.note(GenerateChunk(0, "x" * 80, finish_reason="stop", usage=Usage(10, completion_tokens=20)))
    assert found.total() == Usage(10, completion_tokens=20)


def test_early_counts_of_the_prompt_stay_where_the_answer_breaks_off() -> None:
    found = meter(None)
    found.note(GenerateChunk(0, usage=Usage(10, 4, completion_tokens=1)))
    found.note(GenerateChunk(0, "x" * 40))
    assert found.total() == Usage(10, 4, completion_tokens=10, estimated=True)
