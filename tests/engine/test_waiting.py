"""The order of admission and its bound (law 6)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.tokens import pack
from radixa.engine.base import EngineRequest
from radixa.engine.sequence import Sequence
from radixa.engine.text import TextStream
from radixa.engine.waiting import WaitingQueue
from radixa.kv.caches import make_cache

LIMIT = 1 << 20


def warm_cache() -> object:
    cache = make_cache("radix", capacity=4096, page_size=1, eviction="lru")
    key = pack(range(100))
    lease = cache.match(key, "", 0)
    assert cache.extend(lease, 100)
    cache.finish(lease, key)
    return cache


def request(order: int, shared: int) -> Sequence:
    prompt = pack([*range(shared), *range(1000 + order * 10, 1000 + order * 10 + 5)])
    return Sequence.start(EngineRequest(f"r{order}", prompt), order, LIMIT, TextStream(None))


def test_the_longest_shared_prefix_goes_first() -> None:
    queue = WaitingQueue(warm_cache(), max_overtakes=16)  # type: ignore[arg-type]
    for order, shared in enumerate([0, 30, 90, 30]):
        queue.add(request(order, shared))
    assert [s.order for s in queue.in_order()] == [2, 1, 3, 0]


def test_requests_that_may_not_read_count_as_unshared() -> None:
    from radixa.core.base import CachePolicy

    queue = WaitingQueue(warm_cache(), max_overtakes=16)  # type: ignore[arg-type]
    prompt = pack(range(90))
    blind = EngineRequest("blind", prompt, cache=CachePolicy(read=False))
    queue.add(Sequence.start(blind, 0, LIMIT, TextStream(None)))
    queue.add(request(1, 30))
    assert [s.order for s in queue.in_order()] == [1, 0]


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 5),
    st.lists(st.one_of(st.integers(0, 100), st.none()), min_size=10, max_size=80),
)
def test_nobody_is_overtaken_more_often_than_the_bound(bound: int, script: list[int | None]) -> None:
    """A number adds a request that shares so many tokens, None admits the queue's first choice."""
    queue = WaitingQueue(warm_cache(), max_overtakes=bound)  # type: ignore[arg-type]
    overtaken: dict[int, int] = {}
    waiting: set[int] = set()
    order = 0
    for action in [*script, *[None] * len(script)]:
        if action is not None:
            queue.add(request(order, action))
            overtaken[order] = 0
            waiting.add(order)
            order += 1
        elif len(queue):
            chosen = queue.in_order()[0]
            queue.admit(chosen)
            waiting.remove(chosen.order)
            for other in waiting:
                if other < chosen.order:
                    overtaken[other] += 1
    assert not waiting
    assert all(count <= bound for count in overtaken.values())


def test_an_aged_request_is_the_only_candidate() -> None:
    queue = WaitingQueue(warm_cache(), max_overtakes=1)  # type: ignore[arg-type]
    old, lucky, next_best = request(0, 0), request(1, 90), request(2, 80)
    for one in (old, lucky, next_best):
        queue.add(one)
    queue.admit(lucky)
    assert queue.in_order() == [old]


def test_a_retracted_request_takes_its_old_place() -> None:
    queue = WaitingQueue(warm_cache(), max_overtakes=16)  # type: ignore[arg-type]
    first, second = request(0, 0), request(1, 0)
    queue.add(second)
    queue.add(first)
    assert [s.order for s in queue] == [0, 1]
