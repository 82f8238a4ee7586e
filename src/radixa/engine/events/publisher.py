"""The publisher: sockets, numbers, and the thread that does the work.

Batches go out at a PUB socket as `(topic, number, payload)`, the number as 8 bytes, the highest first, from 0 on. Who
asks at the ROUTER socket with a number gets every batch from that one on as `(number, payload)`, and last the number
-1. The first batch says that nothing holds any more, so that who knew the process before this one starts anew.

Whoever has missed more than is kept gets all told anew: nobody drifts from the tree without noticing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import zmq

from radixa.core.errors import ConfigError
from radixa.engine.events.base import Cleared, Event, EventSettings, EventStats
from radixa.engine.events.endpoints import checked
from radixa.engine.events.mirror import Mirror
from radixa.engine.events.recorder import Recorder
from radixa.engine.events.wire import Batch, encode
from radixa.radix import Listener

log = logging.getLogger("radixa.engine")

NUMBER_BYTES = 8
END = (-1).to_bytes(NUMBER_BYTES, "big", signed=True)

TURN_SECONDS = 0.01
"""How long the thread sleeps between two looks at what was noted: what nobody has to wake costs the loop nothing."""
PAUSE_SECONDS = 50e-6
PAUSE_WORK = 64
"""After so many blocks or notes the thread sleeps for a moment: while it computes, the engine's loop cannot."""
CATCH_UP_NODES = 256
"""Nodes told anew in one turn of the engine's loop."""
CLOSE_SECONDS = 1.0
LINGER_MS = 500
"""How long what was sent last may still be on its way when the sockets close."""


class _Sent(NamedTuple):
    number: int
    payload: bytes


class KVEvents:
    """Publishes what happens to one tree (`base.Events`). ConfigError where an address cannot be had."""

    def __init__(self, settings: EventSettings) -> None:
        self._settings = settings
        self._recorder = Recorder(settings.max_queue_size)
        self._mirror = Mirror(settings.namespace_key)
        self._topic = settings.topic.encode()
        self._kept: deque[_Sent] = deque(maxlen=settings.buffer_steps)
        self._next = 0
        self._whole = 0
        """The batches from this number on tell all there is."""
        self._work = 0
        self._stored = self._removed = self._replays = self._snapshots = 0
        self._closing = threading.Event()
        self._context = zmq.Context()
        self._replay: zmq.Socket[bytes] | None = None
        try:
            self._pub = self._bind(zmq.PUB, "endpoint", settings.endpoint, settings.hwm)
            if settings.replay_endpoint is not None:
                # Room for a whole answer: a ROUTER drops without a word what is over the mark.
                room = 2 * settings.buffer_steps + 1000
                self._replay = self._bind(zmq.ROUTER, "replay_endpoint", settings.replay_endpoint, room)
        except ConfigError:
            self._context.destroy(linger=0)
            raise
        self.endpoint = self._pub.getsockopt_string(zmq.LAST_ENDPOINT)
        """Where subscribers connect to, with the port that was taken."""
        self.replay_endpoint = self._replay.getsockopt_string(zmq.LAST_ENDPOINT) if self._replay else None
        # From here on the sockets are the thread's.
        self._thread = threading.Thread(target=self._run, name="kv-events", daemon=True)
        self._thread.start()

    @property
    def listeners(self) -> tuple[Listener[Any], ...]:
        return (self._recorder,)

    @property
    def behind(self) -> bool:
        return self._recorder.behind

    def catch_up(self) -> None:
        self._recorder.catch_up(CATCH_UP_NODES)

    def stats(self) -> EventStats:
        return EventStats(
            batches=self._next,
            stored=self._stored,
            removed=self._removed,
            replays=self._replays,
            snapshots=self._snapshots,
            overflows=self._recorder.overflows,
            queued=len(self._recorder.notes),
        )

    def close(self) -> None:
        self._closing.set()
        self._thread.join(CLOSE_SECONDS)

    def _bind(self, kind: int, name: str, endpoint: str, mark: int) -> zmq.Socket[bytes]:
        address = checked(name, endpoint, self._settings.allow_remote)
        socket = self._context.socket(kind)
        socket.set_hwm(mark)
        socket.setsockopt(zmq.LINGER, LINGER_MS)
        socket.setsockopt(zmq.IPV6, int("[" in address))
        try:
            socket.bind(address)
            if address.startswith("ipc:///"):
                Path(address.removeprefix("ipc://")).chmod(0o600)
        except (zmq.ZMQError, OSError) as error:
            raise ConfigError(f"KV events: cannot publish at {name} = {endpoint!r}: {error}") from error
        return socket

    # ---- the thread's

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._answer_all()
                self._publish(_noted(self._recorder, self._mirror))
            self._publish(_noted(self._recorder, self._mirror))
        except Exception:
            log.exception("KV events end: their thread failed")
        finally:
            self._recorder.close()
            self._context.destroy()

    def _answer_all(self) -> None:
        """Wait for the next turn, and answer those who ask meanwhile."""
        if self._replay is None:
            self._closing.wait(TURN_SECONDS)
        elif self._replay.poll(int(TURN_SECONDS * 1000)):
            while self._replay.poll(0):
                self._answer(self._replay, self._replay.recv_multipart())

    def _publish(self, events: Iterable[Event | None]) -> list[_Sent]:
        """Send events in batches, pausing for the engine's loop; what was sent."""
        sent = []
        batch = Batch()
        for event in events:
            before = batch.stored + batch.removed
            if event is not None:
                if isinstance(event, Cleared) and batch.events:
                    sent.append(self._send(batch))
                    batch = Batch()
                batch.add(event)
            self._breathe(1 + batch.stored + batch.removed - before)
            if batch.full:
                sent.append(self._send(batch))
                batch = Batch()
        if batch.events:
            sent.append(self._send(batch))
        return sent

    def _send(self, batch: Batch) -> _Sent:
        number = self._next
        if isinstance(batch.events[0], Cleared):
            self._whole = number
        payload = encode(time.time(), batch.events, self._settings.layout)
        self._pub.send_multipart((self._topic, number.to_bytes(NUMBER_BYTES, "big"), payload))
        self._next += 1
        self._stored += batch.stored
        self._removed += batch.removed
        sent = _Sent(number, payload)
        self._kept.append(sent)
        return sent

    def _answer(self, replay: zmq.Socket[bytes], frames: list[bytes]) -> None:
        if len(frames) != 3 or len(frames[2]) != NUMBER_BYTES:
            log.warning("KV events: a replay was asked for with %d frames, expected a number of 8 bytes", len(frames))
            return
        client = frames[0]
        for number, payload in self._since(int.from_bytes(frames[2], "big")):
            replay.send_multipart((client, b"", number.to_bytes(NUMBER_BYTES, "big"), payload))
        replay.send_multipart((client, b"", END, b""))
        self._replays += 1

    def _since(self, start: int) -> list[_Sent]:
        """The batches from `start` on; where some of them are gone, such as lead to the same state from any."""
        if start > self._next:
            start = 0  # The number is of a process before this one.
        kept_from = self._kept[0].number if self._kept else self._next
        if start < kept_from:
            if self._whole < kept_from:
                self._snapshots += 1
                return self._publish(self._mirror.everything())
            start = self._whole
        return [sent for sent in self._kept if sent.number >= start]

    def _breathe(self, work: int) -> None:
        self._work += work
        if self._work >= PAUSE_WORK:
            self._work = 0
            time.sleep(PAUSE_SECONDS)


def _noted(recorder: Recorder, mirror: Mirror) -> Iterator[Event | None]:
    """The events of all that is noted by now; None for each note, which may have come to no event."""
    for _ in range(len(recorder.notes)):
        try:
            note = recorder.notes.popleft()
        except IndexError:
            return  # The loop has dropped them: an overflow.
        yield None
        yield from mirror.apply(note)
