"""Every miss has its true reason, and volatile stretches are found."""

from __future__ import annotations

import random
import time

import pytest

from radixa.core.base import Explanation
from radixa.core.tokens import pack, unpack
from radixa.kv.caches import make_cache
from radixa.kv.radix_cache import RadixCache
from radixa.radix import Keep
from tests.radix.test_tree import Clock


def cache_of(capacity: int = 10_000, page_size: int = 1, clock: Clock | None = None) -> RadixCache:
    return RadixCache(capacity, page_size=page_size, clock=clock or Clock())


def ask(cache: RadixCache, tokens: list[int], namespace: str = "a", keep: Keep | None = None) -> Explanation:
    """What a request that is answered at once is told."""
    found = cache.explain(pack(tokens), namespace, read=True, remember=True)
    lease = cache.match(pack(tokens), namespace, len(tokens) - 1)
    assert cache.extend(lease, len(tokens))
    cache.finish(lease, pack(tokens), keep=keep)
    cache.check_integrity()
    return found


def reason(cache: RadixCache, tokens: list[int], namespace: str = "a") -> tuple[int, str] | None:
    miss = cache.explain(pack(tokens), namespace, read=True).miss
    return (miss.at, miss.reason) if miss else None


def run_of(first: int, count: int = 40) -> list[int]:
    return list(range(first, first + count))


def test_reasons() -> None:
    cache = cache_of()
    assert reason(cache, run_of(0)) == (0, "never_seen")
    ask(cache, run_of(0))
    assert reason(cache, run_of(0)) is None
    assert reason(cache, run_of(0, 60)) == (40, "never_seen")
    assert reason(cache, run_of(0, 20) + run_of(900)) == (20, "diverged")
    assert reason(cache, run_of(0), "a/salt") == (0, "namespace")
    assert reason(cache, run_of(0), "b") == (0, "never_seen")
    assert cache.explain(pack([1]), "a", read=False).miss is not None


def test_what_was_evicted_is_told_with_its_age_also_after_others_took_its_place() -> None:
    clock = Clock()
    cache = cache_of(100, clock=clock)
    ask(cache, run_of(0, 30) + run_of(500, 30))
    clock.now += 5
    ask(cache, run_of(1000, 80))  # the first has to go
    assert reason(cache, run_of(0, 30) + run_of(500, 30)) == (0, "evicted")
    clock.now += 40
    miss = cache.explain(pack(run_of(0, 60)), "a", read=True).miss
    assert miss is not None
    assert miss.left == pytest.approx(time.time() - 40, abs=2)
    # What comes back in another shape does not hide what is still gone.
    ask(cache, run_of(0, 40))
    assert reason(cache, run_of(0, 30) + run_of(500, 30)) == (30, "evicted")
    assert reason(cache, run_of(0, 30) + run_of(700, 30)) == (30, "diverged")


def test_what_expired_is_told_from_what_was_evicted() -> None:
    clock = Clock()
    cache = cache_of(200, clock=clock)
    ask(cache, run_of(0, 50), keep=Keep(ttl=10))
    clock.now += 20
    ask(cache, run_of(1000, 190))
    clock.now += 5
    miss = cache.explain(pack(run_of(0, 50)), "a", read=True).miss
    assert miss is not None
    assert (miss.reason, miss.left) == ("expired", pytest.approx(time.time() - 15, abs=2))


def test_less_than_a_page_is_below_the_minimum() -> None:
    cache = cache_of(page_size=16)
    assert reason(cache, run_of(0, 10)) == (0, "below_minimum")
    ask(cache, run_of(0, 40))
    assert reason(cache, run_of(0, 40)) == (32, "below_minimum")
    assert reason(cache, run_of(0, 33)) is None


@pytest.mark.parametrize("kind", ["none", "force_miss"])
def test_a_cache_that_is_off_says_so(kind: str) -> None:
    cache = make_cache(kind, 1000)  # type: ignore[arg-type]
    for _ in range(2):
        miss = cache.explain(pack(run_of(0)), "a", read=True).miss
        assert miss is not None
        assert (miss.at, miss.reason) == (0, "disabled")
        lease = cache.match(pack(run_of(0)), "a", 39)
        cache.extend(lease, 40)
        cache.finish(lease, pack(run_of(0)))


def test_both_texts_around_a_divergence() -> None:
    cache = cache_of()
    for other in (100, 200, 300, 400):
        ask(cache, run_of(0, 10) + run_of(other, 50))
    miss = cache.explain(pack(run_of(0, 10) + run_of(500, 50)), "a", read=True).miss
    assert miss is not None
    assert [unpack(tree)[0] for tree in miss.tree] == [400, 300, 200]
    assert all(len(unpack(tree)) == 24 for tree in miss.tree)


def test_a_line_that_changes_with_every_request_is_named_with_its_cost() -> None:
    rng = random.Random(3)
    cache = cache_of()
    head, body = run_of(0, 12), run_of(1000, 300)

    def stamped(digits: int) -> list[int]:
        return head + rng.choices(range(5000, 5010), k=digits) + body

    assert ask(cache, stamped(6)).volatile is None
    assert ask(cache, stamped(6)).volatile is None  # once is not often
    for digits in (6, 5, 7, 6):
        prompt = stamped(digits)
        found = ask(cache, prompt).volatile
        assert found is not None
        assert 12 <= found.start <= found.end == 12 + digits
        assert found.cost_tokens == 300
        assert found.seen >= 3
    other = cache.explain(pack(head + run_of(7000, 100)), "a", read=True)
    assert other.volatile is None
    assert cache.explain(pack(stamped(6)), "b", read=True).volatile is None


def test_questions_that_differ_at_the_end_are_not_volatile() -> None:
    cache = cache_of()
    for question in range(10):
        assert ask(cache, run_of(0, 200) + run_of(1000 + 50 * question, 20)).volatile is None


def test_two_hundred_prompts_made_to_miss_for_a_known_reason() -> None:
    rng = random.Random(7)
    clock = Clock()
    right = 0
    for number in range(200):
        cache = cache_of(1000, page_size=rng.choice([1, 1, 16]), clock=clock)
        page = cache.tree.page_size
        tokens = rng.sample(range(50_000), 320)
        wanted = ["never_seen", "diverged", "evicted", "expired", "namespace", "disabled", "below_minimum"][number % 7]
        at, namespace, read = 0, "a", True
        if wanted == "never_seen":
            at = rng.choice([0, 160])
            if at:
                ask(cache, tokens[:at])
        elif wanted == "diverged":
            at = page * rng.randint(1, 9)
            ask(cache, tokens[:at] + rng.sample(range(60_000, 90_000), 100))
        elif wanted in ("evicted", "expired"):
            ask(cache, tokens, keep=Keep(ttl=5) if wanted == "expired" else None)
            clock.now += 6
            ask(cache, rng.sample(range(60_000, 90_000), 990))
        elif wanted == "namespace":
            ask(cache, tokens, "a/salt")
        elif wanted == "disabled":
            read = False
        else:
            page = 16
            cache = cache_of(1000, page_size=page)
            tokens = tokens[: rng.randint(2, 16)]
        miss = cache.explain(pack(tokens), namespace, read=read).miss
        right += miss is not None and (miss.at, miss.reason) == (at, wanted)
    assert right == 200
