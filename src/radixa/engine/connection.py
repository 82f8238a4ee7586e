"""A client's end of a connection to an engine, and the engine that runs in a thread of the caller's process."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import Protocol

from radixa.core.errors import EngineUnavailable, RadixaError
from radixa.engine.base import EngineSettings, Fault
from radixa.engine.messages import Failed, FromEngine, Stop, ToEngine


class Connection(Protocol):
    """One engine, from its start to its end. After `receive` has raised, the connection is over."""

    async def receive(self) -> FromEngine:
        """The next message. EngineUnavailable, saying why, once the engine is gone."""
        ...

    def send(self, message: ToEngine) -> None:
        """Never blocks. What is sent to an engine that is gone is lost."""
        ...

    async def close(self) -> None:
        """Stop the engine and wait until it has ended."""
        ...


class ThreadConnection:
    """An engine in a thread of this process: for tests and scripts, where a second process would only be in the way."""

    def __init__(self, settings: EngineSettings) -> None:
        self._loop = asyncio.get_running_loop()
        self._outbox: asyncio.Queue[FromEngine | None] = asyncio.Queue()
        self._inbox: queue.SimpleQueue[ToEngine | None] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(settings,), daemon=True, name="radixa-engine")
        self._thread.start()

    async def receive(self) -> FromEngine:
        message = await self._outbox.get()
        if message is None:
            raise EngineUnavailable(f"the engine ended: {self._failure or 'it was stopped'}") from self._failure
        return message

    def send(self, message: ToEngine) -> None:
        self._inbox.put(message)

    async def close(self) -> None:
        self._inbox.put(Stop())
        await asyncio.to_thread(self._thread.join)

    def _run(self, settings: EngineSettings) -> None:
        from radixa.engine.load import load_engine
        from radixa.engine.worker import run

        try:
            channel = _ThreadChannel(self._inbox, self._deliver)
            run(load_engine(settings, channel.wake), channel)
        except RadixaError as error:
            self._deliver(Failed(Fault.of(error)))
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._deliver(None)

    def _deliver(self, message: FromEngine | None) -> None:
        # The caller's loop may be closed already when its engine ends last.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._outbox.put_nowait, message)


class _ThreadChannel:
    """The engine's end: two queues."""

    def __init__(self, inbox: queue.SimpleQueue[ToEngine | None], deliver: _Deliver) -> None:
        self._inbox = inbox
        """None only wakes."""
        self._deliver = deliver

    def receive(self, timeout: float | None) -> list[ToEngine]:
        messages: list[ToEngine | None] = []
        try:
            messages.append(self._inbox.get(block=timeout != 0, timeout=timeout or None))
            while True:
                messages.append(self._inbox.get_nowait())
        except queue.Empty:
            return [message for message in messages if message is not None]

    def wake(self) -> None:
        self._inbox.put(None)

    def send(self, message: FromEngine) -> None:
        self._deliver(message)


class _Deliver(Protocol):
    def __call__(self, message: FromEngine | None) -> None: ...
