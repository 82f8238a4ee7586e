"""The caches, one behaviour at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from radixa.core.errors import ConfigError
from radixa.core.tokens import pack
from radixa.kv.base import Lease, PrefixCache, Segment
from radixa.kv.caches import CacheKind, make_cache
from radixa.kv.lease import SlotLease
from radixa.kv.radix_cache import RadixCache
from radixa.radix import policy


def computed(cache: PrefixCache, tokens: range | list[int], namespace: str = "") -> Lease:
    """A lease of a request that has computed `tokens` and handed nothing over yet."""
    lease = cache.match(pack(tokens), namespace, len(tokens))
    assert cache.extend(lease, len(tokens))
    return lease


def keep(cache: PrefixCache, tokens: range | list[int], namespace: str = "") -> int:
    return cache.finish(computed(cache, tokens, namespace), pack(tokens))


def shape(cache: PrefixCache) -> list[tuple[bytes, int, bool]]:
    return [(view.token_ids, view.depth, view.locked) for view in cache.walk()]


def test_a_prefix_computed_once_is_lent() -> None:
    cache = make_cache("radix", 100)
    assert keep(cache, range(10)) == 10
    assert cache.peek(pack([*range(8), 99]), "") == 8
    lease = cache.match(pack([*range(8), 99]), "", 8)
    assert (lease.cached, lease.held, lease.room) == (8, 8, 8)
    [(owner, start, length)] = lease.segments(8)
    assert (start, length) == (0, 8)
    assert owner >= 1
    assert cache.peek(pack(range(8)), "other") == 0
    cache.check_integrity()


def test_a_limit_leaves_the_last_token_to_compute() -> None:
    cache = make_cache("radix", 100)
    keep(cache, range(10))
    lease = cache.match(pack(range(10)), "", 9)
    assert lease.cached == 9
    assert cache.extend(lease, 10)
    assert cache.finish(lease, pack(range(10))) == 0
    assert cache.stats().tree == 10
    cache.check_integrity()


def test_a_duplicate_is_freed_and_the_lease_moved_to_the_trees_slots() -> None:
    cache = make_cache("radix", 100)
    first, second = computed(cache, range(10)), computed(cache, range(12))
    assert cache.commit(first, pack(range(10))) == 10
    before = second.segments(12)
    assert cache.commit(second, pack(range(12))) == 2
    moved = second.segments(12)
    assert before == [Segment(0, 10, 12)]
    assert [(start, length) for _, start, length in moved] == [(0, 10), (20, 2)]
    assert all(owner > 0 for owner, _, _ in moved)
    assert cache.stats().free == 100 - 12
    cache.check_integrity()


def test_a_split_shows_in_the_segments_of_whoever_holds_the_node() -> None:
    cache = make_cache("radix", 100)
    lease = computed(cache, range(10))
    cache.commit(lease, pack(range(10)))
    [whole] = lease.segments(10)
    version = cache.version
    other = cache.match(pack([0, 1, 2, 3, 99]), "", 4)
    assert cache.version != version
    upper, lower = lease.segments(10)
    assert (upper.start, upper.length, lower.start, lower.length) == (0, 4, 4, 6)
    assert other.segments(4) == [upper]
    assert lower.owner == whole.owner != upper.owner
    cache.release(lease)
    assert [locked for _, _, locked in shape(cache)] == [True, False]
    cache.release(other)
    assert cache.stats().evictable == 10
    cache.check_integrity()


@pytest.mark.parametrize("chunks", [[12], [6, 12], [5, 6, 7, 12], [11, 12]])
@pytest.mark.parametrize("page_size", [1, 4])
def test_a_path_lies_in_the_tree_as_if_it_had_come_in_one_commit(chunks: list[int], page_size: int) -> None:
    cache = make_cache("radix", 100, page_size=page_size)
    keep(cache, [0, 1, 2, 3])
    tokens = pack(range(12))
    lease = cache.match(tokens, "", 12)
    kept = 0
    for end in chunks:
        assert cache.extend(lease, end)
        kept += cache.commit(lease, tokens[: 4 * end])
    assert kept == 8
    assert shape(cache) == [(pack(range(4)), 0, True), (pack(range(4, 12)), 4, True)]
    assert [(start, length) for _, start, length in lease.segments(12)] == [(0, 4), (4, 8)]
    cache.check_integrity()


def test_a_node_that_others_know_is_not_made_longer() -> None:
    """Neither one that another request has matched to its end, nor one that another request began."""
    cache = make_cache("radix", 100)
    lease = computed(cache, [1, 2])
    cache.commit(lease, pack([1, 2]))
    other = cache.match(pack([1, 2]), "", 2)
    assert cache.extend(lease, 4)
    cache.commit(lease, pack([1, 2, 3, 4]))
    assert [token_ids for token_ids, _, _ in shape(cache)] == [pack([1, 2]), pack([3, 4])]
    cache.release(other)
    cache.release(lease)
    first, second = computed(cache, [7]), computed(cache, [7, 8])
    cache.commit(first, pack([7]))
    cache.finish(second, pack([7, 8]))  # hangs its own below the first one's node, and is gone
    assert cache.extend(first, 2)
    cache.commit(first, pack([7, 6]))
    assert [token_ids for token_ids, _, _ in shape(cache)][-3:] == [pack([7]), pack([8]), pack([6])]
    cache.release(first)
    sum(cache.flushing())
    keep(cache, [1, 2])
    keep(cache, [1, 2, 3, 4])
    late = cache.match(pack([1, 2, 3, 4]), "", 4)
    for end in (5, 6):
        assert cache.extend(late, end)
        cache.commit(late, pack(range(1, end + 1)))
    assert [token_ids for token_ids, _, _ in shape(cache)] == [pack([1, 2]), pack([3, 4]), pack([5, 6])]
    twice = computed(cache, [9])
    again = computed(cache, [9])
    cache.commit(twice, pack([9]))
    cache.finish(twice, pack([9]))
    assert cache.commit(again, pack([9])) == 0
    assert cache.extend(again, 2)
    cache.commit(again, pack([9, 8]))
    assert [token_ids for token_ids, _, _ in shape(cache)][-2:] == [pack([9]), pack([8])]
    cache.check_integrity()


def test_growth_is_contiguous_through_commits() -> None:
    cache = make_cache("radix", 100)
    lease = cache.bare("")
    assert cache.extend(lease, 4, reserve=2)
    cache.commit(lease, pack(range(4)))
    assert lease.room == 6
    for tokens in range(5, 30):
        assert cache.extend(lease, tokens, reserve=4)
        assert lease.room >= tokens
        assert sum(segment.length for segment in lease.segments(tokens)) == tokens
        assert len(lease.segments(tokens)) <= 2
    cache.commit(lease, pack(range(29)))
    assert len(lease.segments(29)) == 1
    cache.check_integrity()


def test_a_reserve_takes_only_what_is_free() -> None:
    cache = make_cache("radix", 10)
    keep(cache, range(4))
    lease = cache.bare("")
    assert cache.extend(lease, 2, reserve=50)
    assert lease.room == 6
    assert cache.stats().evicted == 0


def test_extend_evicts_what_nobody_uses_or_changes_nothing() -> None:
    cache = make_cache("radix", 10)
    keep(cache, [1, 2, 3, 4])
    keep(cache, [5, 6, 7, 8])
    held = cache.match(pack([5, 6, 7, 8]), "", 4)
    lease = cache.bare("")
    before = cache.stats()
    assert not cache.extend(lease, 7)
    assert cache.stats() == before
    assert lease.room == 0
    assert cache.extend(lease, 3)
    assert cache.stats().evicted == 4
    assert cache.peek(pack([1, 2]), "") == 0
    assert held.segments(4)
    cache.check_integrity()


def test_whole_pages_are_kept_and_the_tail_stays_the_leases_own() -> None:
    cache = make_cache("radix", 100, page_size=4)
    lease = computed(cache, range(10))
    assert cache.commit(lease, pack(range(10))) == 8
    assert (lease.held, lease.room) == (8, 10)
    assert [(owner > 0, length) for owner, _, length in lease.segments(10)] == [(True, 8), (False, 2)]
    assert cache.commit(lease, pack(range(10))) == 0
    cache.release(lease)
    assert cache.stats().free == 92
    assert cache.match(pack(range(10)), "", 7).cached == 4


def test_flush_drops_what_is_not_in_use_of_a_namespace_and_those_beneath() -> None:
    cache = make_cache("radix", 100)
    for namespace in ("a", "a/salt", "ab"):
        keep(cache, range(5), namespace)
    lease = cache.match(pack(range(3)), "a/salt", 3)
    assert cache.namespaces() == {"a": 5, "a/salt": 5, "ab": 5}
    assert sum(cache.flushing("a")) == 7
    assert cache.namespaces() == {"a/salt": 3, "ab": 5}
    assert [view.namespace for view in cache.walk("a")] == ["a/salt"]
    assert sum(cache.flushing()) == 5
    cache.release(lease)
    assert sum(cache.flushing()) == 3
    assert cache.stats().free == 100


def test_segments_of_part_of_a_lease() -> None:
    cache = make_cache("radix", 100)
    keep(cache, [1, 2])
    keep(cache, [1, 2, 3, 4])
    lease = cache.match(pack([1, 2, 3, 4, 5]), "", 5)
    assert cache.extend(lease, 6)
    lengths = [[segment.length for segment in lease.segments(tokens)] for tokens in range(7)]
    assert lengths == [[], [1], [2], [2, 1], [2, 2], [2, 2, 1], [2, 2, 2]]
    first = lease.segments(6)
    first.clear()  # a caller's list is its own
    assert len(lease.segments(6)) == 3
    for wrong in (7, -1):
        with pytest.raises(ValueError, match=f"segments of {wrong} tokens wanted of a lease with room for 6"):
            lease.segments(wrong)


def test_force_miss_keeps_the_whole_path_and_lends_nothing() -> None:
    cache = make_cache("force_miss", 20)
    keep(cache, range(8))
    assert cache.peek(pack(range(8)), "") == 0
    lease = cache.match(pack([0, 1, 2, 99]), "", 4)
    assert (lease.cached, lease.room) == (0, 0)
    assert [view.hits for view in cache.walk()] == [1, 0]  # matched, and split where the match ended
    assert cache.extend(lease, 4)
    assert cache.commit(lease, pack([0, 1, 2, 99])) == 1
    assert cache.stats().tree == 9
    cache.release(lease)
    assert keep(cache, range(100, 115)) == 15
    assert cache.stats().evicted >= 4
    assert not cache.shares
    cache.check_integrity()


def test_no_cache_keeps_nothing() -> None:
    cache = make_cache("none", 20)
    lease = computed(cache, range(8))
    assert cache.commit(lease, pack(range(8))) == 0
    assert lease.segments(8) == [Segment(0, 0, 8)]
    assert cache.stats().leased == 8
    assert not cache.extend(lease, 21)
    assert cache.finish(lease, pack(range(8))) == 0
    assert cache.stats().free == 20
    assert cache.peek(pack(range(8)), "") == sum(cache.flushing()) == cache.version == 0
    assert not cache.namespaces()
    assert not list(cache.walk())
    assert not cache.shares


@pytest.mark.parametrize("kind", ["radix", "force_miss", "none"])
def test_a_closed_or_foreign_lease_is_refused(kind: CacheKind) -> None:
    cache = make_cache(kind, 20)
    lease = computed(cache, [1, 2])
    cache.finish(lease, pack([1, 2]))
    foreign = make_cache(kind, 20).bare("")
    for wrong in (lease, foreign):
        with pytest.raises(ValueError, match="finished or released before, or is another cache's"):
            cache.extend(wrong, 3)
        with pytest.raises(ValueError, match="finished or released"):
            cache.release(wrong)
    cache.check_integrity()


def test_a_commit_of_what_was_not_computed_is_refused() -> None:
    cache = make_cache("radix", 20)
    lease = computed(cache, [1, 2])
    cache.commit(lease, pack([1, 2]))
    for wrong in ([1], [1, 2, 3]):
        with pytest.raises(ValueError, match="a lease that holds 2 and has room for 2"):
            cache.commit(lease, pack(wrong))


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ConfigError, match="no such policy"):
        make_cache("radix", 20, eviction="magic")


def lose_a_slot(cache: RadixCache, lease: SlotLease) -> None:
    lease.move(lease.node, lease.held, lease.own[:-1])


def share_a_slot(cache: RadixCache, lease: SlotLease) -> None:
    lease.move(lease.node, lease.held, lease.own + lease.own)


def unlock(cache: RadixCache, lease: SlotLease) -> None:
    cache.tree.unlock(lease.node)


def lock_twice(cache: RadixCache, lease: SlotLease) -> None:
    cache.tree.lock(lease.node)


def forget(cache: RadixCache, lease: SlotLease) -> None:
    cache.leases.clear()


def overstate(cache: RadixCache, lease: SlotLease) -> None:
    lease.held += 1


@pytest.mark.parametrize("harm", [lose_a_slot, share_a_slot, unlock, lock_twice, forget, overstate])
def test_integrity_notices(harm: Callable[[RadixCache, SlotLease], None]) -> None:
    cache = RadixCache(20, page_size=1, policy=policy("lru"))
    keep(cache, [1, 2, 3])
    lease = cache.match(pack([1, 2, 3, 4]), "", 3)
    assert isinstance(lease, SlotLease)
    assert cache.extend(lease, 5)
    cache.check_integrity()
    harm(cache, lease)
    with pytest.raises(AssertionError):
        cache.check_integrity()
