"""From the tree's changes to events, without sockets: what is told is what is there, whatever happens in between."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.core.errors import ConfigError
from radixa.core.tokens import pack
from radixa.engine.events.base import EventSettings, Removed, Stored
from radixa.engine.events.chain import namespace_tag
from radixa.engine.events.endpoints import checked
from radixa.engine.events.make import NoEvents, make_publisher
from radixa.engine.events.mirror import Mirror
from radixa.engine.events.recorder import Recorder
from radixa.engine.events.wire import BATCH_BLOCKS, Batch, encode
from radixa.radix import NOTHING, Node, Tree, flush, removing
from tests.engine.subscriber import ArrayBatch, KVEventBatch, OldBatch, Rebuilt, blocks_of

KEY = b"k" * 32


def tag(namespace: str) -> str | None:
    return namespace_tag(namespace, KEY)


class Changes:
    """Random operations on a tree, of every kind that it has, along paths that share and part anywhere."""

    def __init__(self, tree: Tree[None], seed: int, longest: int = 40) -> None:
        self.tree = tree
        self.rng = random.Random(seed)
        self.pieces = [self.rng.choices(range(3), k=self.rng.randint(1, longest)) for _ in range(4)]
        self.removing: Iterator[Node[None]] = iter(())

    def path(self) -> bytes:
        chosen = self.rng.choices(self.pieces, k=self.rng.randint(1, 4))
        return pack([token for piece in chosen for token in piece][: self.rng.randint(1, 100)])

    def one(self) -> None:
        rng, tree = self.rng, self.tree
        space = rng.choice(["", "a", "a/b"])
        match rng.randrange(10):
            case 0 | 1:
                tree.match(self.path(), space)
            case 2 | 3 | 4:
                tree.insert(self.path(), None, space)
            case 5 | 6:
                node = tree.insert(self.path(), None, space).node
                for _ in range(rng.randint(1, 20)):
                    if not node.children:
                        tree.grow(node, pack(rng.choices(range(3), k=rng.choice([1, 1, 1, 20]))), None)
            case 7 | 8:
                tree.evict(rng.randint(1, 150))
            case 9 if rng.random() < 0.2:
                self.removing = removing(tree, tree.roots(rng.choice([None, "a", "a/b"])))
        next(self.removing, None)


def told(recorder: Recorder, mirror: Mirror, rebuilt: Rebuilt) -> None:
    """Take every note, as the thread does."""
    while recorder.notes:
        batch = Batch()
        for event in mirror.apply(recorder.notes.popleft()):
            batch.add(event)
        for event in batch.events:
            rebuilt.hear(event)


@pytest.mark.parametrize("seed", range(8))
def test_events_tell_what_the_tree_has(seed: int) -> None:
    recorder, mirror, rebuilt = Recorder(1_000_000), Mirror(KEY), Rebuilt()
    tree = Tree(NOTHING, listeners=[recorder])
    changes = Changes(tree, seed)
    most = 0
    for _ in range(2_000):
        changes.one()
        if changes.rng.random() < 0.1:
            told(recorder, mirror, rebuilt)
            assert set(rebuilt.blocks.values()) == blocks_of(tree, tag)
            most = max(most, len(rebuilt.blocks))
    assert most > 50
    assert rebuilt.cleared == 1


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("limit", [2, 3, 10, 50])
def test_after_overflows_all_is_told_anew_while_the_tree_changes(seed: int, limit: int) -> None:
    recorder, mirror, rebuilt = Recorder(limit), Mirror(KEY), Rebuilt()
    tree = Tree(NOTHING, listeners=[recorder])
    changes = Changes(tree, seed)
    caught_up = slices = 0
    for _ in range(1_500):
        changes.one()
        assert len(recorder.notes) <= max(limit, 100)
        if changes.rng.random() < 2 / limit:
            told(recorder, mirror, rebuilt)
        if recorder.behind:
            recorder.catch_up(changes.rng.randint(1, 3))
            slices += 1
        elif not recorder.notes:
            assert set(rebuilt.blocks.values()) == blocks_of(tree, tag)
            caught_up += 1
    while recorder.behind:
        told(recorder, mirror, rebuilt)
        recorder.catch_up(5)
    told(recorder, mirror, rebuilt)
    assert set(rebuilt.blocks.values()) == blocks_of(tree, tag)
    assert recorder.overflows + 1 >= rebuilt.cleared > 1
    assert min(caught_up, slices) > 0


@given(st.integers(0, 2**32), st.integers(0, 60))
def test_everything_says_what_the_tree_has(seed: int, operations: int) -> None:
    recorder, mirror = Recorder(1_000_000), Mirror(KEY)
    tree = Tree(NOTHING, listeners=[recorder])
    changes = Changes(tree, seed)
    for _ in range(operations):
        changes.one()
    told(recorder, mirror, Rebuilt())
    for _ in range(2):
        rebuilt = Rebuilt()
        for event in mirror.everything():
            if event is not None:
                rebuilt.hear(event)
        assert set(rebuilt.blocks.values()) == blocks_of(tree, tag)


def test_a_closed_recorder_notes_nothing() -> None:
    recorder = Recorder(10)
    tree = Tree(NOTHING, listeners=[recorder])
    recorder.close()
    for first in range(50):
        tree.insert(pack([first, 1]), None)
    flush(tree)
    assert (len(recorder.notes), recorder.overflows, recorder.behind) == (0, 0, False)


def test_a_long_node_comes_as_one_event_and_a_child_joins_it() -> None:
    recorder, mirror, batch = Recorder(100), Mirror(b""), Batch()
    tree = Tree(NOTHING, listeners=[recorder])
    tree.insert(pack(range(2_000)), None, "a")
    tree.insert(pack(range(2_040)), None, "a")
    while recorder.notes:
        for event in mirror.apply(recorder.notes.popleft()):
            batch.add(event)
    _, stored = batch.events
    assert isinstance(stored, Stored)
    assert stored.token_ids == list(range(2_032))
    assert len(stored.block_hashes) == len(stored.extra_keys or ()) == 127
    assert (stored.parent_block_hash, stored.block_size, stored.medium) == (None, 16, "GPU")
    flush(tree)
    gone = Batch()
    while recorder.notes:
        for event in mirror.apply(recorder.notes.popleft()):
            gone.add(event)
    assert gone.events == [Removed(stored.block_hashes[::-1], "GPU")]
    assert not batch.full
    batch.add(Removed([0] * BATCH_BLOCKS, "GPU"))
    assert batch.full


def test_namespaces_have_tags_that_hang_on_the_key() -> None:
    names = ["a", "a/b", "b"]
    tags = {namespace_tag(name, key) for name in names for key in (b"", b"k", KEY)}
    assert len(tags) == 9
    assert not any(name in str(found) for name in ("a/b",) for found in tags)
    assert namespace_tag("", KEY) is None


EVENTS = [
    Stored([1 << 63, 2], 7, [*range(32)], 16, None, "GPU", None, [("t",), ("t",)]),
    Stored([3], None, [*range(16)], 16, None, "GPU", None),
    Removed([2, 1 << 63], "GPU"),
]


@pytest.mark.parametrize(("layout", "batch"), [("array", ArrayBatch), ("map", KVEventBatch)])
def test_others_decode_every_field(layout: Any, batch: type[Any]) -> None:
    first, second, third = msgspec.msgpack.decode(encode(1.5, list(EVENTS), layout), type=batch).events
    assert (first.block_hashes, first.parent_block_hash, first.token_ids) == ([1 << 63, 2], 7, [*range(32)])
    assert (first.block_size, first.lora_id, first.medium, first.lora_name) == (16, None, "GPU", None)
    assert (first.extra_keys, second.extra_keys) == ([("t",), ("t",)], None)
    assert (first.group_idx, second.parent_block_hash) == (None, None)
    assert (third.block_hashes, third.medium, third.group_idx) == ([2, 1 << 63], "GPU", None)


def test_those_who_know_fewer_fields_decode_them() -> None:
    decoded = msgspec.msgpack.decode(encode(1.5, list(EVENTS), "array"), type=OldBatch)
    assert decoded.ts == 1.5
    assert [event.block_hashes for event in decoded.events] == [event.block_hashes for event in EVENTS]


@pytest.mark.parametrize(
    ("given_", "bound"),
    [
        ("tcp://127.0.0.1:5557", "tcp://127.0.0.1:5557"),
        ("tcp://127.9.9.9:*", "tcp://127.9.9.9:*"),
        ("tcp://localhost:1", "tcp://127.0.0.1:1"),
        ("tcp://[::1]:65535", "tcp://[::1]:65535"),
        ("ipc:///run/events", "ipc:///run/events"),
    ],
)
def test_local_addresses_are_taken(given_: str, bound: str) -> None:
    assert checked("endpoint", given_, allow_remote=False) == bound


@pytest.mark.parametrize(
    "remote", ["tcp://*:5557", "tcp://0.0.0.0:5557", "tcp://10.1.2.3:*", "tcp://[::]:1", "tcp://a:1"]
)
def test_addresses_that_others_reach_must_be_allowed(remote: str) -> None:
    with pytest.raises(ConfigError, match="other machines"):
        checked("endpoint", remote, allow_remote=False)
    assert checked("endpoint", remote, allow_remote=True) == remote


@pytest.mark.parametrize(
    "bad", ["", "5557", "tcp://127.0.0.1", "tcp://127.0.0.1:65536", "ipc://", "inproc://x", "udp://127.0.0.1:1"]
)
def test_what_is_no_address_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="replay_endpoint"):
        checked("replay_endpoint", bad, allow_remote=True)


@pytest.mark.parametrize("settings", [EventSettings(), EventSettings(enable_kv_cache_events=True, publisher="null")])
def test_off_is_a_publisher_that_hears_nothing(settings: EventSettings) -> None:
    events = make_publisher(settings)
    assert isinstance(events, NoEvents)
    assert events.listeners == ()
    assert not events.behind
    events.catch_up()
    assert events.stats().batches == 0
    events.close()


def test_settings_are_read_from_the_json_that_others_write() -> None:
    text = (
        b'{"enable_kv_cache_events":true,"publisher":"zmq","endpoint":"tcp://*:5557","replay_endpoint":"tcp://*:5558",'
        b'"buffer_steps":10000,"hwm":100000,"max_queue_size":100000,"topic":"kv@1"}'
    )
    settings = msgspec.json.decode(text, type=EventSettings)
    assert settings.topic == "kv@1"
    with pytest.raises(ConfigError, match="other machines"):
        make_publisher(settings)
    for wrong in (b'{"buffer_steps":0}', b'{"publisher":"nats"}', b'{"endpont":""}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(wrong, type=EventSettings)
