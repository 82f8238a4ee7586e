"""The engine's own process: `python -m radixa.engine.process`, started by `engine.child`.

Its standard input is a lifeline: the first line holds address and settings, and the pipe closes when the parent ends,
however it ends. A thread that does nothing but read it then ends this process at once, also in the middle of a step.
"""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import msgspec
import zmq

from radixa.core.errors import RadixaError
from radixa.engine.base import EngineSettings, Fault
from radixa.engine.messages import Failed, FromEngine, ToEngine, decode_to_engine, encode
from radixa.engine.worker import run


class Start(msgspec.Struct, frozen=True):
    """The first line of standard input, as JSON."""

    address: str
    """An `ipc://` address in a folder of mode 0700, which is removed when the parent is gone."""
    settings: EngineSettings


class SocketChannel:
    """The engine's end of a ZeroMQ pair, and a pipe by which other threads wake it."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)
        self._poller = zmq.Poller()
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._woken, zmq.POLLIN)

    def receive(self, timeout: float | None) -> list[ToEngine]:
        messages: list[ToEngine] = []
        if self._woken in dict(self._poller.poll(None if timeout is None else int(timeout * 1000))):
            os.read(self._woken, 4096)
        while self._socket.poll(0):
            messages.append(decode_to_engine(self._socket.recv()))
        return messages

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # a full pipe has woken it
            os.write(self._waker, b"\0")

    def send(self, message: FromEngine) -> None:
        self._socket.send(encode(message))


def main() -> int:
    # Both go to the whole group, from a terminal or a service manager; the parent decides when we end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    start = msgspec.json.decode(sys.stdin.buffer.readline(), type=Start)
    threading.Thread(target=_watch_parent, args=(start.address,), daemon=True).start()
    context = zmq.Context()
    socket = context.socket(zmq.PAIR)
    socket.set_hwm(0)
    socket.setsockopt(zmq.LINGER, 1000)
    socket.connect(start.address)
    channel = SocketChannel(socket)
    try:
        from radixa.engine.load import load_engine

        loop = load_engine(start.settings, channel.wake)
        _calm_collector()
    except RadixaError as error:
        channel.send(Failed(Fault.of(error)))
        return 1
    else:
        run(loop, channel)
        return 0
    finally:
        socket.close()
        context.term()


def _calm_collector() -> None:
    """Python's cycle collector would walk every node of a large tree again and again, and find nothing.

    What is loaded by now is never garbage, so it is not looked at any more, and full collections become rare.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _watch_parent(address: str) -> None:
    """Wait for the end of the pipe. Nothing is sent through it after the first line."""
    fd = sys.stdin.fileno()
    while os.read(fd, 4096):
        pass
    shutil.rmtree(Path(address.removeprefix("ipc://")).parent, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
