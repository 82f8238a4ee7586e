"""Keys for shared prefixes: few enough to share a cache, many enough to stay under a machine's rate."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.providers.openai.affinity import AIM, LEAST_BYTES, MOST_A_MINUTE, MOST_FAMILIES, Affinity

SYSTEM = b'[{"role":"system","content":"' + b"You are a helpful assistant of the Acme company. " * 200 + b'"},'


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def turn(user: int, turns: int) -> bytes:
    """The prompt of a user's conversation after some turns, each a piece long."""
    return SYSTEM + b"".join(b'{"role":"user","content":"%04d %04d %s"},' % (user, i, b"x" * 260) for i in range(turns))


def test_a_prompt_that_is_too_short_to_be_cached_has_no_key() -> None:
    affinity = Affinity()
    assert affinity.key(b"x" * (LEAST_BYTES - 1), "a") is None
    assert affinity.key(b"x" * LEAST_BYTES, "a") is not None


def test_requests_that_share_a_prefix_share_a_key() -> None:
    affinity = Affinity()
    keys = {affinity.key(turn(user, 1), "account") for user in range(AIM)}
    assert len(keys) == 1


def test_another_prefix_has_another_key() -> None:
    affinity = Affinity()
    assert affinity.key(turn(1, 1), "account") != affinity.key(b"y" + turn(1, 1), "account")


def test_accounts_never_share_a_key() -> None:
    affinity = Affinity()
    keys = {affinity.key(turn(1, 1), namespace) for namespace in ("one", "two", "one/salt")}
    assert len(keys) == 3


def test_a_key_is_the_same_in_every_process_and_says_nothing() -> None:
    one, other = Affinity().key(turn(1, 1), "account"), Affinity().key(turn(2, 1), "account")
    assert one == other
    assert one is not None
    assert "account" not in one
    # OpenAI takes 64 characters.
    assert len(one) <= 64


def test_a_conversation_keeps_its_number_while_others_come() -> None:
    """Where its number has room: 40 conversations take turns, 30 requests a minute."""
    clock = Clock()
    affinity = Affinity(clock)
    last: dict[int, str | None] = {}
    moved = 0
    for turns in range(1, 11):
        for user in range(40):
            key = affinity.key(turn(user, turns), "account")
            moved += last.get(user, key) != key
            last[user] = key
            clock.now += 2.0
    assert len(set(last.values())) == 3
    assert moved <= 0.05 * 400


def test_new_conversations_are_spread_evenly_over_the_numbers_that_are_needed() -> None:
    clock = Clock()
    affinity = Affinity(clock)
    counts: Counter[str | None] = Counter()
    for user in range(1200):
        key = affinity.key(turn(user, 1), "account")
        if user >= 600:
            counts[key] += 1
        # 50 a minute: five numbers.
        clock.now += 1.2
    assert len(counts) == 5
    assert max(counts.values()) - min(counts.values()) <= 0.2 * max(counts.values())


def test_fewer_requests_need_fewer_numbers() -> None:
    clock = Clock()
    affinity = Affinity(clock)
    for user in range(60):
        affinity.key(turn(user, 1), "account")
    clock.now += 3600
    keys = set()
    for user in range(100, 140):
        keys.add(affinity.key(turn(user, 1), "account"))
        clock.now += 6.0
    assert len(keys) == 1


@settings(max_examples=40, deadline=None)
@given(requests=st.lists(st.tuples(st.integers(0, 8), st.integers(1, 3), st.floats(0, 8)), min_size=1, max_size=250))
def test_no_key_is_used_too_often_in_any_minute(requests: list[tuple[int, int, float]]) -> None:
    clock = Clock()
    affinity = Affinity(clock)
    used: dict[str, list[float]] = {}
    times = []
    for user, turns, pause in requests:
        clock.now += pause
        key = affinity.key(turn(user, turns), "account")
        assert key is not None
        used.setdefault(key, []).append(clock.now)
        times.append(clock.now)
    for moments in used.values():
        for i in range(len(moments) - MOST_A_MINUTE):
            assert moments[i + MOST_A_MINUTE] - moments[i] >= 60
    busiest = max(sum(1 for other in times if moment - 60 < other <= moment) for moment in times)
    # Numbers that conversations hold on to are not given up for each other's sake.
    assert len(used) <= 2 * (busiest // AIM + 1)


def test_memory_is_bounded() -> None:
    affinity = Affinity()
    for i in range(MOST_FAMILIES + 50):
        affinity.key(b"%08d" % i * (LEAST_BYTES // 8), "account")
    assert len(affinity._families) == MOST_FAMILIES
