"""Events over real sockets: followed live, joined late, caught up by replay, and told anew where that is too late."""

from __future__ import annotations

import logging
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from radixa.core.errors import ConfigError
from radixa.core.tokens import pack
from radixa.engine.events.base import EventSettings
from radixa.engine.events.publisher import KVEvents
from radixa.kv.radix_cache import RadixCache
from radixa.radix import NOTHING, Tree, flush
from tests.engine.subscriber import ArrayBatch, KVEventBatch, Subscriber, blocks_of
from tests.engine.test_events import KEY, Changes, tag

LOCAL = "tcp://127.0.0.1:*"
MARK = range(1_000, 1_016)


class Setup:
    """A publisher with its tree, and those who follow it."""

    def __init__(self, stack: ExitStack, layout: Any = "array", **settings: Any) -> None:
        wanted = EventSettings(
            **({"endpoint": LOCAL, "replay_endpoint": LOCAL, "layout": layout, "namespace_key": KEY} | settings)
        )
        self.stack = stack
        self.batch = KVEventBatch if layout == "map" else ArrayBatch
        self.events = KVEvents(wanted)
        stack.callback(self.events.close)
        self.tree = Tree(NOTHING, listeners=self.events.listeners)
        self.marks = 0

    def subscriber(self, *, replay: bool = True) -> Subscriber:
        made = Subscriber(self.events.endpoint, self.events.replay_endpoint if replay else None, self.batch)
        self.stack.callback(made.close)
        return made

    def settle(self) -> None:
        """Until the thread has published all that was noted."""
        self.marks += 1
        self.tree.insert(pack([self.marks, *MARK]), None, "mark")
        self.until(lambda: not self.events.behind)
        stored = -1
        while self.events.stats().queued or stored != self.events.stats().stored:
            stored = self.events.stats().stored
            time.sleep(0.05)

    def until(self, done: Any) -> None:
        end = time.monotonic() + 10
        while not done():
            assert time.monotonic() < end
            self.events.catch_up()
            time.sleep(0.001)

    def agrees(self, *followers: Subscriber) -> None:
        """Each follower comes to hold exactly what the tree has."""
        self.settle()
        for follower in followers:
            follower.until(lambda follower=follower: follower.last == self.events.stats().batches - 1)  # type: ignore[misc]
            assert set(follower.rebuilt.blocks.values()) == blocks_of(self.tree, tag)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.mark.parametrize("layout", ["array", "map"])
def test_a_subscriber_rebuilds_the_tree_from_events_alone(stack: ExitStack, layout: str) -> None:
    setup = Setup(stack, layout)
    early = setup.subscriber()
    changes = Changes(setup.tree, 1)
    for _ in range(5):
        for _ in range(600):
            changes.one()
        setup.agrees(early)
    late = setup.subscriber()
    for _ in range(600):
        changes.one()
    setup.agrees(early, late)
    assert len(late.rebuilt.blocks) > 20
    # A subscription takes effect a moment after it is made: what is published in between is asked for.
    assert max(early.missed, late.missed) <= 1
    assert early.rebuilt.cleared == late.rebuilt.cleared == 1


def test_who_missed_batches_gets_them_by_replay(stack: ExitStack) -> None:
    setup = Setup(stack)
    subscriber = setup.subscriber()
    setup.agrees(subscriber)
    changes = Changes(setup.tree, 2)
    subscriber._live.disconnect(setup.events.endpoint)
    for _ in range(5):
        for _ in range(100):
            changes.one()
        setup.settle()
    subscriber._live.connect(setup.events.endpoint)
    time.sleep(0.2)
    setup.agrees(subscriber)
    assert subscriber.missed == 1
    assert subscriber.rebuilt.cleared == 1
    assert setup.events.stats().replays == 2


def test_who_missed_more_than_is_kept_is_told_all_anew(stack: ExitStack) -> None:
    setup = Setup(stack, buffer_steps=6)
    subscriber = setup.subscriber()
    changes = Changes(setup.tree, 3)
    for _ in range(10):
        for _ in range(100):
            changes.one()
        setup.settle()
    late = setup.subscriber()
    setup.agrees(subscriber, late)
    assert subscriber.rebuilt.cleared == 2
    assert late.rebuilt.cleared == 1
    later = setup.subscriber()  # What told all anew is kept, so it is told nobody once more.
    setup.agrees(subscriber, late, later)
    assert later.rebuilt.cleared == 1
    assert setup.events.stats().snapshots == 1


def test_a_snapshot_may_be_larger_than_what_is_kept(stack: ExitStack) -> None:
    setup = Setup(stack, buffer_steps=1)
    for number in range(40):
        setup.tree.insert(pack([number, *range(1_600)]), None)
    setup.settle()
    setup.agrees(setup.subscriber())
    assert setup.events.stats().snapshots == 1


def test_a_number_of_an_earlier_process_gets_all_there_is(stack: ExitStack) -> None:
    setup = Setup(stack)
    setup.tree.insert(pack(range(64)), None)
    setup.settle()
    subscriber = setup.subscriber(replay=False)
    subscriber._replay.connect(str(setup.events.replay_endpoint))
    subscriber.ask(1 << 40)
    assert set(subscriber.rebuilt.blocks.values()) == blocks_of(setup.tree, tag)


def test_after_an_overflow_subscribers_hold_what_the_tree_has(stack: ExitStack) -> None:
    setup = Setup(stack, max_queue_size=60)
    subscriber = setup.subscriber()
    changes = Changes(setup.tree, 4)
    for number in range(3_000):
        changes.one()
        if number % 3 == 0:
            setup.events.catch_up()
    setup.agrees(subscriber)
    stats = setup.events.stats()
    assert stats.overflows > 3
    assert subscriber.rebuilt.cleared > 1


def test_the_cache_of_the_engine_is_followed(stack: ExitStack) -> None:
    """Leases that extend, commit, grow and evict, as the scheduler drives them."""
    setup = Setup(stack)
    cache = RadixCache(400, listeners=setup.events.listeners)
    subscriber = setup.subscriber()
    for number in range(300):
        prompt = pack([number % 7] * 40 + [number % 11] * 30)
        lease = cache.match(prompt, "a/b", 69)
        assert cache.extend(lease, 70, reserve=40)
        cache.commit(lease, prompt)
        answer = prompt
        for token in range(number % 40):
            answer += pack([token])
            assert cache.extend(lease, len(answer) // 4)
        cache.finish(lease, answer)
    cache.check_integrity()
    setup.settle()
    subscriber.until(lambda: subscriber.last == setup.events.stats().batches - 1)
    told = {block for block in subscriber.rebuilt.blocks.values() if block[0] == tag("a/b")}
    assert told == blocks_of(cache.tree, tag)
    assert cache.stats().evicted > 0
    assert setup.events.stats().removed > 0


def test_topics_are_told_apart(stack: ExitStack) -> None:
    setup = Setup(stack, topic="kv@host@model")
    with zmq.Context() as context, context.socket(zmq.SUB) as mine, context.socket(zmq.SUB) as other:
        for socket, topic in ((mine, b"kv@host@"), (other, b"kv@elsewhere@")):
            socket.setsockopt(zmq.LINGER, 0)
            socket.subscribe(topic)
            socket.connect(setup.events.endpoint)
        time.sleep(0.2)
        setup.settle()
        assert mine.poll(5_000)
        topic, number, payload = mine.recv_multipart()
        assert topic == b"kv@host@model"
        assert len(number) == 8
        assert msgspec.msgpack.decode(payload, type=ArrayBatch).events
        assert not other.poll(100)


def test_a_req_socket_is_answered_too(stack: ExitStack) -> None:
    """It takes only the first message of an answer."""
    setup = Setup(stack)
    setup.settle()
    with zmq.Context() as context, context.socket(zmq.REQ) as asking:
        asking.setsockopt(zmq.LINGER, 0)
        asking.connect(str(setup.events.replay_endpoint))
        asking.send((0).to_bytes(8, "big"))
        assert asking.poll(5_000)
        assert asking.recv_multipart()[0] == (0).to_bytes(8, "big")


def test_nonsense_on_the_replay_socket_harms_nobody(stack: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    setup = Setup(stack)
    with zmq.Context() as context, context.socket(zmq.DEALER) as asking, caplog.at_level(logging.WARNING):
        asking.setsockopt(zmq.LINGER, 0)
        asking.connect(str(setup.events.replay_endpoint))
        for frames in ([b"x"], [b"", b"short"], [b"", b"", b"", b"12345678"]):
            asking.send_multipart(frames)
        setup.until(lambda: caplog.text.count("a replay was asked for") == 3)
    setup.agrees(setup.subscriber())


def test_a_taken_address_is_one_clear_error(stack: ExitStack) -> None:
    setup = Setup(stack)
    with pytest.raises(ConfigError, match=r"cannot publish at replay_endpoint = 'tcp://127.0.0.1:\d+'"):
        KVEvents(EventSettings(endpoint=LOCAL, replay_endpoint=setup.events.endpoint))


def test_an_ipc_socket_is_its_user_s_alone(stack: ExitStack, tmp_path: Path) -> None:
    file = tmp_path / "events"
    setup = Setup(stack, endpoint=f"ipc://{file}")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    setup.agrees(setup.subscriber())


def test_what_is_queued_at_the_end_is_published(stack: ExitStack) -> None:
    setup = Setup(stack)
    subscriber = setup.subscriber()
    setup.agrees(subscriber)
    for number in range(500):
        setup.tree.insert(pack([number] * 32), None)
    setup.events.close()
    subscriber.until(lambda: set(subscriber.rebuilt.blocks.values()) == blocks_of(setup.tree, tag))
    setup.until(lambda: not setup.events._thread.is_alive())
    flush(setup.tree)
    assert setup.events.stats().queued == 0


def test_a_failed_thread_lets_the_engine_go_on(
    stack: ExitStack, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = Setup(stack)
    monkeypatch.setattr("radixa.engine.events.publisher.encode", None)
    with caplog.at_level(logging.ERROR):
        setup.tree.insert(pack(range(32)), None)
        setup.until(lambda: "their thread failed" in caplog.text)
    setup.until(lambda: not setup.events._thread.is_alive())
    for number in range(100):
        setup.tree.insert(pack([number] * 32), None)
    assert setup.events.stats().queued == 0
