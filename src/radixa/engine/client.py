"""`EngineClient`: the one way to talk to an engine, whether it runs in a thread, in a child process or elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from radixa.core.base import Explanation
from radixa.core.errors import EngineUnavailable, RadixaError
from radixa.engine.base import (
    Changes,
    EngineInfo,
    EngineOutput,
    EngineRequest,
    EngineSettings,
    EngineStats,
    Flushed,
    TreePage,
    TreeQuery,
)
from radixa.engine.connection import Connection, ThreadConnection
from radixa.engine.messages import (
    Abort,
    Answer,
    Ask,
    AskChanges,
    AskExplain,
    AskFlush,
    AskNode,
    AskStats,
    Explained,
    Failed,
    NodePath,
    Outputs,
    Question,
    Ready,
    Submit,
)
from radixa.radix import Keep, NodeView

log = logging.getLogger("radixa.engine")

R = TypeVar("R", EngineStats, TreePage, Explained, Flushed, Changes, NodePath)

Connect = Callable[[EngineSettings], Awaitable[Connection]]

RESTART_SECONDS = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before an engine that died is started again; the last one repeats. A start that succeeds begins anew."""


async def start_engine(settings: EngineSettings, *, in_process: bool = False) -> EngineClient:
    """Start an engine and wait until it can answer.

    A child process by default, started again if it dies; `in_process` runs it in a thread of this one. Raises what the
    engine met while loading (ModelError, ConfigError), or EngineUnavailable where it died.
    """
    client = EngineClient(settings, _thread if in_process else _child, restart=not in_process)
    await client.start()
    return client


async def _thread(settings: EngineSettings) -> Connection:
    return ThreadConnection(settings)


async def _child(settings: EngineSettings) -> Connection:
    from radixa.engine.child import ChildConnection

    return await ChildConnection.start(settings)


class EngineClient:
    """Implements `engine.base.Engine`. Use it from the event loop that started it."""

    def __init__(self, settings: EngineSettings, connect: Connect, *, restart: bool) -> None:
        self._settings = settings
        self._connect = connect
        self._restart = restart
        self._connection: Connection | None = None
        self._info: EngineInfo | None = None
        self._reader: asyncio.Task[None] | None = None
        self._streams: dict[str, asyncio.Queue[EngineOutput | RadixaError]] = {}
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._ids = itertools.count(1)
        self.restarts = 0

    @property
    def info(self) -> EngineInfo:
        if self._info is None:
            raise EngineUnavailable("the engine has not been started")
        return self._info

    @property
    def ready(self) -> bool:
        return self._connection is not None

    @property
    def connection(self) -> Connection:
        """The engine that runs now. EngineUnavailable while there is none."""
        if self._connection is None:
            again = "being started again; try again in a few seconds" if self._restart else "gone"
            raise EngineUnavailable(f"the engine is {again}")
        return self._connection

    async def start(self) -> None:
        self._connection = await self._open()
        self._reader = asyncio.create_task(self._read())

    async def generate(self, request: EngineRequest) -> AsyncIterator[EngineOutput]:
        connection = self.connection
        outputs: asyncio.Queue[EngineOutput | RadixaError] = asyncio.Queue()
        self._streams[request.request_id] = outputs
        running = True
        try:
            connection.send(Submit(request))
            while running:
                output = await outputs.get()
                running = isinstance(output, EngineOutput) and output.finish_reason is None
                if isinstance(output, RadixaError):
                    raise output
                if output.fault is not None:
                    raise output.fault.error()
                yield output
        finally:
            del self._streams[request.request_id]
            if running and connection is self._connection:
                connection.send(Abort(request.request_id))

    async def stats(self) -> EngineStats:
        return await self._ask(AskStats(), EngineStats)

    async def tree(self, wanted: TreeQuery) -> TreePage:
        return await self._ask(wanted, TreePage)

    async def explain(self, token_ids: bytes, namespace: str, *, read: bool = True) -> Explanation:
        return (await self._ask(AskExplain(token_ids, namespace, read), Explained)).explanation

    async def flush(
        self, namespace: str | None = None, *, session: str | None = None, prefix: bytes | None = None
    ) -> Flushed:
        return await self._ask(AskFlush(namespace, session, prefix), Flushed)

    async def changes(self) -> Changes:
        return await self._ask(AskChanges(), Changes)

    async def node(self, number: int, namespace: str | None = None) -> list[NodeView]:
        return (await self._ask(AskNode(number, namespace), NodePath)).nodes

    async def keep(self, number: int, namespace: str | None, keep: Keep | None) -> list[NodeView]:
        return (await self._ask(AskNode(number, namespace, True, keep), NodePath)).nodes

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        self._fail(EngineUnavailable("the engine was stopped"))

    async def _ask(self, question: Question, kind: type[R]) -> R:
        ask = Ask(next(self._ids), question)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[ask.id] = answer
        try:
            self.connection.send(ask)
            found = await answer
        finally:
            del self._answers[ask.id]
        if found.fault is not None:
            raise found.fault.error()
        assert isinstance(found.result, kind)
        return found.result

    async def _open(self) -> Connection:
        """Connect, and wait until the engine is ready."""
        connection = await self._connect(self._settings)
        try:
            first = await connection.receive()
            if isinstance(first, Failed):
                raise first.fault.error()
            if not isinstance(first, Ready):
                raise EngineUnavailable(f"the engine's first message was {type(first).__name__}, expected Ready")
        except BaseException:
            await connection.close()
            raise
        self._info = first.info
        return connection

    async def _read(self) -> None:
        """Hand out what arrives; where the engine dies, fail what it was working on and start it again."""
        while True:
            try:
                while True:
                    self._deliver(await self.connection.receive())
            except EngineUnavailable as death:
                dead, self._connection = self._connection, None
                comes_back = "; it is being started again" if self._restart else ""
                self._fail(EngineUnavailable(f"{death.message} while it worked on this request{comes_back}"))
                if dead is not None:
                    await dead.close()
                if not self._restart:
                    return
                await self._reopen()

    def _deliver(self, message: object) -> None:
        if isinstance(message, Outputs):
            for output in message.outputs:
                outputs = self._streams.get(output.request_id)
                if outputs is not None:
                    outputs.put_nowait(output)
        elif isinstance(message, Answer):
            answer = self._answers.get(message.id)
            if answer is not None and not answer.done():
                answer.set_result(message)

    def _fail(self, error: EngineUnavailable) -> None:
        for outputs in self._streams.values():
            outputs.put_nowait(error)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(error)

    async def _reopen(self) -> None:
        for attempt in itertools.count():
            await asyncio.sleep(RESTART_SECONDS[min(attempt, len(RESTART_SECONDS) - 1)])
            try:
                self._connection = await self._open()
            except Exception as error:  # noqa: BLE001 - whatever it was, a server without its engine tries again
                log.warning("the engine could not be started again (attempt %d): %s", attempt + 1, error)
                continue
            self.restarts += 1
            return
