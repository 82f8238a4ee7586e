"""An engine in a process of its own, seen from the process that started it."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import msgspec
import zmq
import zmq.asyncio

from radixa.core.errors import EngineUnavailable
from radixa.engine.base import EngineSettings
from radixa.engine.messages import FromEngine, Stop, ToEngine, decode_from_engine, encode
from radixa.engine.process import Start

STOP_SECONDS = 5.0
"""How long a process that was told to stop may finish its step before it is killed."""


class ChildConnection:
    """Owns the process, the socket and the folder the socket lies in. Made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process, socket: zmq.asyncio.Socket, folder: Path) -> None:
        self._process = process
        self._socket = socket
        self._folder = folder
        self._exit = asyncio.ensure_future(process.wait())
        self._message: asyncio.Future[bytes] | None = None
        self._connected = False

    @classmethod
    async def start(cls, settings: EngineSettings) -> ChildConnection:
        """EngineUnavailable where the process, its socket or its folder cannot be had; nothing is left behind then."""
        try:
            folder = Path(tempfile.mkdtemp(prefix="radixa-"))  # mkdtemp makes it 0700: nobody else can connect.
        except OSError as error:
            raise EngineUnavailable(f"there is no folder for the engine's socket: {error}") from error
        socket = zmq.asyncio.Context.instance().socket(zmq.PAIR)
        try:
            address = f"ipc://{folder / 'engine'}"
            socket.set_hwm(0)
            socket.setsockopt(zmq.LINGER, 0)
            socket.bind(address)
            # -P: nothing is imported from the current folder, where a random.py of the user's may lie.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "radixa.engine.process", stdin=asyncio.subprocess.PIPE
            )
        except (OSError, zmq.ZMQError) as error:
            socket.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise EngineUnavailable(f"the engine's process could not be started in {folder}: {error}") from error
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(Start(address, settings)) + b"\n")
        return cls(process, socket, folder)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def receive(self) -> FromEngine:
        if self._message is None:
            self._message = asyncio.ensure_future(self._socket.recv())
        await asyncio.wait((self._message, self._exit), return_when=asyncio.FIRST_COMPLETED)
        if not self._message.done():
            # What it sent before it died is worth more than the news of its death.
            await asyncio.wait((self._message,), timeout=0.05)
        if not self._message.done():
            raise EngineUnavailable(f"the engine process died ({_cause(self._exit.result())})")
        frame, self._message = self._message.result(), None
        self._connected = True
        return decode_from_engine(frame)

    def send(self, message: ToEngine) -> None:
        # With no high-water mark this is done at once, or fails at once where nobody is at the other end.
        asyncio.ensure_future(self._socket.send(encode(message), zmq.NOBLOCK)).add_done_callback(_lost)

    async def close(self) -> None:
        if not self._exit.done() and not self._connected:
            self._process.kill()  # It is still loading, and would not hear us.
            await self._exit
        elif not self._exit.done():
            self.send(Stop())
            try:
                await asyncio.wait_for(asyncio.shield(self._exit), STOP_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._exit
        if self._message is not None:
            self._message.cancel()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _lost(sent: asyncio.Future[zmq.MessageTracker | None]) -> None:
    """What could not be sent is lost with the engine, whose end `receive` tells; without this asyncio would log it."""
    if not sent.cancelled():
        sent.exception()


def _cause(code: int) -> str:
    if code < 0:
        try:
            return f"signal {-code}, {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"
