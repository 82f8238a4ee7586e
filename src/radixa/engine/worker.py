"""Runs a loop behind a channel: messages in, a step, messages out, until it is told to stop."""

from __future__ import annotations

from typing import Protocol

from radixa.engine.base import EngineOutput
from radixa.engine.loop import EngineLoop
from radixa.engine.messages import Abort, Answer, Ask, FromEngine, Outputs, Ready, Stop, Submit, ToEngine

IDLE_CHECK_SECONDS = 1.0
"""After so long without work the cache is checked (law 2): a breach ends the process rather than serve wrong KV."""


class Channel(Protocol):
    """The engine's end of a connection to one client."""

    def receive(self, timeout: float | None) -> list[ToEngine]:
        """What has arrived. Waits up to `timeout` seconds (None: for ever) if nothing has; [] after that."""
        ...

    def send(self, message: FromEngine) -> None: ...


def run(loop: EngineLoop, channel: Channel) -> None:
    """Serve until a `Stop` arrives."""
    channel.send(Ready(loop.info))
    checked = True
    while True:
        timeout = 0.0 if loop.busy else (None if checked else IDLE_CHECK_SECONDS)
        messages = channel.receive(timeout)
        outputs: list[EngineOutput] = []
        for message in messages:
            match message:
                case Submit(request):
                    refused = loop.submit(request)
                    if refused is not None:
                        outputs.append(refused)
                case Abort(request_id):
                    loop.abort(request_id)
                case Ask():
                    channel.send(_answer(loop, message))
                case Stop():
                    return
        if loop.busy:
            checked = False
            outputs += loop.step()
        elif not messages and not checked:
            loop.cache.check_integrity()
            checked = True
        if outputs:
            channel.send(Outputs(outputs))


def _answer(loop: EngineLoop, ask: Ask) -> Answer:
    match ask.what:
        case "stats":
            return Answer(ask.id, stats=loop.stats())
        case "tree":
            return Answer(ask.id, nodes=loop.tree(ask.namespace, ask.limit))
        case "flush":
            return Answer(ask.id, dropped=loop.cache.flush(ask.namespace))
