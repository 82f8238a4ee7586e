"""What was on disk is found again, is worth what it claims, and never changes an answer (law 1, law 2, law 4)."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from radixa.core.base import CachePolicy, SamplingParams, Usage
from radixa.core.tokens import pack
from radixa.engine.base import EngineRequest
from radixa.engine.loop import EngineLoop
from radixa.engine.messages import AskFlush
from radixa.engine.worker import _Flush
from radixa.kv.storage import KVStorage
from radixa.kv.tiers.base import Fingerprint
from radixa.kv.tiers.disk import DiskOptions, DiskTier

from .content import Collected, content_loop, expected

MODEL = Fingerprint("content", "float32", 1, 1, 1)
LONG = [(7 * i) % 97 for i in range(400)]
OPTIONS = DiskOptions(write_bandwidth=1e12)


def on(folder: Path, options: DiskOptions = OPTIONS) -> Callable[[KVStorage], DiskTier]:
    return lambda storage: DiskTier(folder, bytes(32), MODEL, storage, lambda: None, options)


def run(loop: EngineLoop, collected: Collected, until: Callable[[], bool] = lambda: False) -> Collected:
    """Step until nothing runs, waits or is held."""
    deadline = time.monotonic() + 30
    while (loop.busy or loop.scheduler.tiering.held) and not until():
        assert time.monotonic() < deadline, f"still busy: {loop.stats()}"
        loop.scheduler.take_freed()
        if loop.busy:
            collected.add(loop.step())
        else:
            time.sleep(0.001)
    return collected


def on_disk(loop: EngineLoop) -> int:
    """Blocks on disk once everything that waits to be written is."""
    tiering = loop.scheduler.tiering
    assert tiering.tier.flush(10)
    loop.scheduler.take_freed()
    return tiering.tier.stats().blocks


def ask(loop: EngineLoop, name: str, prompt: list[int], count: int = 4, **policy: Any) -> Usage:
    sampling = SamplingParams(max_tokens=count, temperature=0)
    namespace = policy.pop("namespace", "a")
    made = EngineRequest(name, pack(prompt), namespace, sampling, CachePolicy(**policy))
    assert loop.submit(made) is None
    done = run(loop, Collected())
    assert done.tokens[name] == expected(prompt, count)
    usage = done.last[name].usage
    assert usage is not None
    loop.cache.check_integrity()
    return usage


def empty(loop: EngineLoop) -> None:
    """Somebody needs the whole pool for a moment."""
    on_disk(loop)
    lease = loop.cache.bare("a")
    assert loop.cache.extend(lease, loop.info.capacity)
    loop.cache.release(lease)


def stop(loop: EngineLoop) -> None:
    """The process is gone: nothing more is written."""
    loop.scheduler.tiering.tier.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kv"


def test_what_was_asked_once_is_warm_after_a_restart(folder: Path) -> None:
    first = content_loop(tier=on(folder))
    assert ask(first, "one", LONG).cached_tokens == 0
    assert on_disk(first) == 403 // 64
    stop(first)
    second = content_loop(tier=on(folder))
    explained = second.explain(pack(LONG), "a", read=True)
    assert (explained.cached_tokens, explained.disk_tokens) == (384, 384)
    usage = ask(second, "two", LONG)
    assert (usage.cached_tokens, usage.disk_tokens) == (384, 384)
    assert usage.miss is not None
    assert (usage.miss.at, usage.miss.reason) == (384, "never_seen")
    again = ask(second, "three", LONG)
    assert (again.cached_tokens, again.disk_tokens) == (399, 0)
    assert second.stats().disk_tokens == 384
    stop(second)


def test_only_what_the_tree_lacks_is_loaded(folder: Path) -> None:
    loop = content_loop(tier=on(folder))
    ask(loop, "one", LONG)
    on_disk(loop)
    empty(loop)
    assert ask(loop, "short", LONG[:100], read=True, write=True).disk_tokens == 64
    # However long that load took here, loading is faster than this.
    loop.scheduler.tiering.prefill_speed = 1.0
    usage = ask(loop, "long", LONG)
    assert usage.cached_tokens == 384
    assert 384 - 100 <= usage.disk_tokens <= 384 - 64
    stop(loop)


def test_another_namespace_finds_nothing_and_no_store_leaves_nothing(folder: Path) -> None:
    loop = content_loop(tier=on(folder))
    ask(loop, "private", LONG, write=False)
    assert on_disk(loop) == 0
    ask(loop, "one", LONG)
    assert on_disk(loop) > 0
    stop(loop)
    second = content_loop(tier=on(folder))
    for namespace in ("b", "a/salt", ""):
        assert ask(second, f"by {namespace}", LONG, namespace=namespace).cached_tokens == 0
    assert ask(second, "off", LONG, read=False, write=False).cached_tokens == 0
    stop(second)


def test_requests_for_one_prefix_wait_for_one_load_and_others_run_meanwhile(folder: Path) -> None:
    first = content_loop(tier=on(folder))
    ask(first, "one", LONG)
    on_disk(first)
    stop(first)
    loop = content_loop(tier=on(folder))
    done = Collected()
    for name in ("x", "y", "z"):
        prompt = [*LONG, ord(name) % 97]
        loop.submit(EngineRequest(name, pack(prompt), "a", SamplingParams(max_tokens=3, temperature=0)))
    assert loop.scheduler.tiering.held == 3
    assert loop.stats().waiting == 3
    loop.submit(EngineRequest("other", pack([5, 6, 7]), "a", SamplingParams(max_tokens=3, temperature=0)))
    run(loop, done)
    assert done.tokens["other"] == expected([5, 6, 7], 3)
    for name in ("x", "y", "z"):
        assert done.tokens[name] == expected([*LONG, ord(name) % 97], 3)
        usage = done.last[name].usage
        assert usage is not None
        assert usage.cached_tokens >= 384
    assert loop.scheduler.tiering.tier.stats().loaded_blocks == 6
    stop(loop)


def test_a_client_that_leaves_while_its_prompt_is_loaded_costs_nothing(folder: Path) -> None:
    first = content_loop(tier=on(folder))
    ask(first, "one", LONG)
    on_disk(first)
    stop(first)
    loop = content_loop(tier=on(folder))
    loop.submit(EngineRequest("gone", pack(LONG), "a", SamplingParams(max_tokens=3)))
    loop.abort("gone")
    assert loop.scheduler.tiering.held == 0
    on_disk(loop)
    stats = loop.stats()
    assert (stats.leased, stats.waiting, stats.running) == (0, 0, 0)
    loop.cache.check_integrity()
    stop(loop)


def test_loading_that_is_slower_than_computing_is_left_alone(folder: Path) -> None:
    loop = content_loop(tier=on(folder))
    ask(loop, "one", LONG)
    on_disk(loop)
    empty(loop)
    loop.scheduler.tiering.prefill_speed = 1e15
    assert ask(loop, "two", LONG).disk_tokens == 0
    stop(loop)


def test_a_request_never_waits_for_a_write(folder: Path) -> None:
    """Everything in the pool is locked for a disk that takes for ever, and still the next request has its room."""
    loop = content_loop(capacity=450, tier=on(folder, DiskOptions(write_bandwidth=1.0)))
    ask(loop, "one", LONG)
    assert loop.cache.stats().evictable < 400
    ask(loop, "two", [(3 * i) % 89 for i in range(420)])
    stop(loop)


def flush(loop: EngineLoop, **wanted: Any) -> int:
    """As the worker carries one out."""
    going = _Flush.begin(loop, 1, AskFlush(**{"namespace": "a", "session": None, "prefix": None, **wanted}))
    deadline = time.monotonic() + 10
    while not going.over():
        assert time.monotonic() < deadline
        loop.scheduler.take_freed()
        time.sleep(0.001)
    loop.cache.check_integrity()
    return going.tokens


def restarted(loop: EngineLoop, folder: Path, **changes: Any) -> EngineLoop:
    """What a new process finds of what is on disk by now."""
    on_disk(loop)
    stop(loop)
    return content_loop(tier=on(folder), **changes)


def submit(loop: EngineLoop, name: str, prompt: list[int], **policy: Any) -> None:
    sampling = SamplingParams(max_tokens=3, temperature=0)
    assert loop.submit(EngineRequest(name, pack(prompt), "a", sampling, CachePolicy(**policy))) is None


def test_a_flush_reaches_what_is_being_written_and_what_is_on_disk(folder: Path) -> None:
    loop = content_loop(tier=on(folder))
    ask(loop, "one", LONG)
    ask(loop, "salted", LONG, namespace="a/salt")
    assert flush(loop) == 2 * 403
    assert on_disk(loop) == 0
    ask(loop, "mine", LONG, session="s1")
    ask(loop, "theirs", [1, *LONG], session="s2")
    on_disk(loop)
    assert flush(loop, session="s1") == 403
    assert on_disk(loop) == 404 // 64
    assert flush(loop, prefix=pack([1, *LONG[:70]])) == 404
    assert on_disk(loop) == 0
    assert ask(loop, "again", LONG).cached_tokens == 0
    stop(loop)


def test_a_dropped_prefix_is_gone_from_disk_and_nothing_else(folder: Path) -> None:
    loop = content_loop(tier=on(folder))
    other = [96, *LONG]
    ask(loop, "one", LONG)
    ask(loop, "branch", [*LONG[:130], *LONG[:130]])
    ask(loop, "other", other)
    on_disk(loop)
    assert flush(loop, prefix=pack(LONG)) > 0
    loop = restarted(loop, folder)
    # The branch keeps the two blocks that it shares.
    assert loop.explain(pack(LONG), "a", read=True).cached_tokens == 128
    assert loop.explain(pack(other), "a", read=True).cached_tokens == 384
    flush(loop, prefix=pack(LONG[:128]))
    assert loop.explain(pack(LONG), "a", read=True).cached_tokens == 0
    assert loop.explain(pack(other), "a", read=True).cached_tokens == 384
    stop(loop)


def test_a_session_is_dropped_from_disk_also_after_it_loaded_its_own(folder: Path) -> None:
    loop = content_loop(tier=on(folder))
    ask(loop, "one", LONG, session="s")
    loop = restarted(loop, folder)
    assert ask(loop, "two", LONG, session="s").disk_tokens == 384
    on_disk(loop)
    flush(loop, session="s")
    assert on_disk(loop) == 0
    stop(loop)


def test_what_is_being_loaded_does_not_come_back_after_a_flush(folder: Path) -> None:
    loop = content_loop(tier=on(folder))
    ask(loop, "one", LONG)
    loop = restarted(loop, folder)
    submit(loop, "loading", LONG, write=False)
    flush(loop)
    assert run(loop, Collected()).tokens["loading"] == expected(LONG, 3)
    assert loop.cache.stats().tree == 0
    assert on_disk(loop) == 0
    stop(loop)


def test_a_flush_is_answered_where_the_disk_is_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radixa.engine.worker.FLUSH_SECONDS", 0.1)
    (tmp_path / "file").write_text("no folder")
    loop = content_loop(tier=on(tmp_path / "file" / "kv"))
    ask(loop, "one", LONG)
    assert flush(loop) == 403
    assert ask(loop, "two", LONG).cached_tokens == 0
    stop(loop)


def test_a_flush_leaves_others_writes_alone(folder: Path) -> None:
    loop = content_loop(capacity=4096, tier=on(folder, DiskOptions(write_bandwidth=1e6)))
    for number in range(3):
        ask(loop, f"r{number}", [number, *LONG])
    flush(loop, namespace="b")
    assert on_disk(loop) == 3 * (404 // 64)
    stop(loop)


def test_a_client_that_leaves_between_its_load_and_its_turn(folder: Path) -> None:
    loop = content_loop(tier=on(folder))
    ask(loop, "one", LONG)
    loop = restarted(loop, folder)
    submit(loop, "gone", LONG)
    assert loop.scheduler.tiering.tier.flush(10)
    loop.scheduler.tiering.make_room()  # takes the result in
    loop.abort("gone")
    assert loop.stats().waiting == 0
    assert loop.cache.stats().evictable == loop.cache.stats().tree
    stop(loop)


def test_a_client_that_comes_again_while_its_load_stops_loads_anew(folder: Path) -> None:
    loop = content_loop(tier=on(folder))
    ask(loop, "one", LONG)
    loop = restarted(loop, folder, capacity=4096)
    submit(loop, "gone", LONG)
    loop.abort("gone")
    assert ask(loop, "again", LONG).cached_tokens == 384
    stop(loop)


def test_explain_promises_what_a_request_gets(folder: Path) -> None:
    loop = content_loop(tier=on(folder))
    ask(loop, "one", LONG)
    loop = restarted(loop, folder)
    for length in (64, 65, 127, 128, 129, 300):
        promised = loop.explain(pack(LONG[:length]), "a", read=True)
        got = ask(loop, f"r{length}", LONG[:length])
        assert (promised.cached_tokens, promised.disk_tokens) == (got.cached_tokens, got.disk_tokens)
        empty(loop)
    loop.scheduler.tiering.prefill_speed = 1e15
    assert loop.explain(pack(LONG), "a", read=True).disk_tokens == 0
    stop(loop)


def test_whoever_joins_a_load_is_told_its_own_share_of_it(folder: Path) -> None:
    loop = content_loop(tier=on(folder))
    ask(loop, "one", LONG)
    loop = restarted(loop, folder)
    submit(loop, "first", LONG)
    submit(loop, "second", LONG[:300])
    done = run(loop, Collected())
    for name, cached in (("first", 384), ("second", 299)):
        usage = done.last[name].usage
        assert usage is not None
        assert (usage.cached_tokens, usage.disk_tokens) == (cached, cached)
    stop(loop)


def test_loads_do_not_starve_a_request_that_needs_the_pool(folder: Path) -> None:
    """While prompts that are on disk keep coming, one that needs nearly all slots is answered in its turn (law 6)."""
    loop = content_loop(capacity=1024, tier=on(folder))
    prompts = [[number, *LONG[:300]] for number in range(8)]
    for number, prompt in enumerate(prompts):
        ask(loop, f"before{number}", prompt)
    loop = restarted(loop, folder, capacity=1024)
    done = Collected()
    submit(loop, "loaded 0", prompts[0])
    submit(loop, "large", [(5 * i) % 83 for i in range(900)])
    for number in range(1, 40):
        submit(loop, f"loaded {number}", prompts[number % 8])
        loop.scheduler.take_freed()
        if loop.busy:
            done.add(loop.step())
    run(loop, done, until=lambda: "large" in done.last)
    assert done.tokens["large"] == expected([(5 * i) % 83 for i in range(900)], 3)
    assert len(done.last) < 40
    run(loop, done)
    assert len(done.last) == 41
    stop(loop)


def test_more_may_not_be_held_than_may_wait(folder: Path) -> None:
    loop = content_loop(tier=on(folder), max_waiting=3)
    ask(loop, "one", LONG)
    loop = restarted(loop, folder, max_waiting=3)
    refused = 0
    for number in range(6):
        made = EngineRequest(f"r{number}", pack(LONG), "a", SamplingParams(max_tokens=1))
        refused += loop.submit(made) is not None
    assert refused == 3
    run(loop, Collected())
    stop(loop)


PROMPTS = st.tuples(st.integers(0, 260), st.integers(0, 2), st.integers(1, 30))
POLICIES = st.sampled_from(
    [
        {},
        {},
        {"pin": True},
        {"ttl": 5},
        {"priority": True},
        {"session": "s1"},
        {"write": False},
        {"read": False, "write": False},
    ]
)
NAMESPACES = st.sampled_from(["a", "a", "a/salt", "b"])


class Everything(RuleBasedStateMachine):
    """Requests, cancellations, pins, TTLs, flushes, moves between the tiers and deaths, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name) / "kv"
        self.now = 0.0
        self.number = 0
        self.start()

    def start(self) -> None:
        self.loop = content_loop(capacity=700, step_tokens=64, tier=on(self.folder), clock=lambda: self.now)
        self.collected = Collected()
        self.wanted: dict[str, list[int]] = {}

    @rule(prompt=PROMPTS, count=st.integers(1, 20), policy=POLICIES, namespace=NAMESPACES)
    def submit(self, prompt: tuple[int, int, int], count: int, policy: dict[str, Any], namespace: str) -> None:
        cut, branch, own = prompt
        tokens = LONG[:cut] + [branch] * 3 + [self.number % 90] * own
        name = f"r{self.number}"
        self.number += 1
        sampling = SamplingParams(max_tokens=count, temperature=0)
        self.loop.submit(EngineRequest(name, pack(tokens), namespace, sampling, CachePolicy(**policy)))
        self.wanted[name] = expected(tokens, count)

    @rule(steps=st.integers(1, 10))
    def step(self, steps: int) -> None:
        for _ in range(steps):
            self.loop.scheduler.take_freed()
            if self.loop.busy:
                self.collected.add(self.loop.step())

    @rule()
    def collect_in_passing(self) -> None:
        """As a step does that makes room, or a flush that begins."""
        self.loop.scheduler.tiering.make_room()

    @rule(which=st.integers(0, 30))
    def abort(self, which: int) -> None:
        name = f"r{self.number - 1 - which}"
        self.loop.abort(name)
        if name not in self.collected.last:
            self.wanted.pop(name, None)

    @rule(seconds=st.integers(1, 10))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(namespace=NAMESPACES | st.none(), session=st.sampled_from([None, None, "s1"]))
    def flush(self, namespace: str | None, session: str | None) -> None:
        self.loop.scheduler.tiering.clear(namespace, session, None)
        list(self.loop.cache.flushing(namespace, session))

    @rule()
    def let_the_disk_work(self) -> None:
        on_disk(self.loop)

    @rule(tokens=st.integers(1, 400))
    def evict(self, tokens: int) -> None:
        lease = self.loop.cache.bare("a")
        self.loop.cache.extend(lease, min(tokens, self.loop.cache.stats().free + tokens // 2))
        self.loop.cache.release(lease)

    @rule(rarely=st.integers(0, 3))
    def die(self, rarely: int) -> None:
        if not rarely:
            self.finish_and_check()
            stop(self.loop)
            self.start()

    @invariant()
    def sound(self) -> None:
        self.loop.cache.check_integrity()
        for name, tokens in self.wanted.items():
            found = self.collected.tokens.get(name, [])
            assert found == tokens[: len(found)]

    def finish_and_check(self) -> None:
        run(self.loop, self.collected)
        for name, tokens in self.wanted.items():
            assert self.collected.tokens[name] == tokens
            usage = self.collected.last[name].usage
            assert usage is not None
            assert 0 <= usage.disk_tokens <= usage.cached_tokens
            assert min(usage.cache_write_tokens, usage.plain_tokens) >= 0
        on_disk(self.loop)
        stats = self.loop.stats()
        assert (stats.leased, stats.running, stats.waiting) == (0, 0, 0)
        assert stats.free + stats.tree == stats.capacity
        assert stats.evictable == stats.tree

    def teardown(self) -> None:
        self.finish_and_check()
        stop(self.loop)
        self.temporary.cleanup()


def test_whatever_happens_answers_are_right_and_slots_conserved() -> None:
    run_state_machine_as_test(Everything, settings=settings(max_examples=15, stateful_step_count=30, deadline=None))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_thousand_operations() -> None:
    run_state_machine_as_test(Everything, settings=settings(max_examples=100, stateful_step_count=100, deadline=None))
