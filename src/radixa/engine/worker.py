"""Runs a loop behind a channel: messages in, a step, messages out, until it is told to stop."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Protocol

from radixa.core.errors import RadixaError
from radixa.engine.base import EngineOutput, Fault, Flushed, TreeQuery
from radixa.engine.clearing import Clearing
from radixa.engine.loop import EngineLoop
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
    FromEngine,
    Outputs,
    Question,
    Ready,
    Result,
    Stop,
    Submit,
    ToEngine,
)
from radixa.engine.searches import Search, search_on

log = logging.getLogger("radixa.engine")

IDLE_CHECK_SECONDS = 1.0
"""After so long without work the cache is checked (law 2): a breach ends the process rather than serve wrong KV."""


class Channel(Protocol):
    """The engine's end of a connection to one client."""

    def receive(self, timeout: float | None) -> list[ToEngine]:
        """What has arrived. Waits up to `timeout` seconds (None: for ever) if nothing has; [] after that."""
        ...

    def send(self, message: FromEngine) -> None: ...

    def wake(self) -> None:
        """Make `receive` return. For other threads than the engine's."""
        ...


TELLING_SECONDS = 0.001
"""Between two slices of the tree that are told anew to subscribers, where nothing else is to do."""

FLUSH_SECONDS = 5.0
"""How long a flush waits for the disk."""

FLUSH_SLICE = 256
"""Nodes that a flush drops between two steps."""


def run(loop: EngineLoop, channel: Channel) -> None:
    """Serve until a `Stop` arrives."""
    channel.send(Ready(loop.info))
    flushes: list[_Flush] = []
    searches: list[Search] = []
    checked, worked = True, monotonic()
    while True:
        loop.watching.tire()
        working = (loop.busy and not loop.stalled) or any(flush.ready for flush in flushes) or bool(searches)
        timeout = 0.0 if working else (None if checked and not flushes and not loop.busy else IDLE_CHECK_SECONDS)
        if loop.events.behind:
            loop.events.catch_up()
            timeout = 0.0 if working else TELLING_SECONDS
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
                case Ask(number, AskFlush() as wanted):
                    flushes.append(_Flush.begin(loop, number, wanted))
                case Ask(number, AskNode() as sought):
                    searches.append(Search.begin(loop, number, sought))
                case Ask():
                    channel.send(_answer(loop, message))
                case Stop():
                    loop.close()
                    return
        loop.scheduler.take_freed()
        for flush in list(flushes):
            if flush.over():
                flushes.remove(flush)
                channel.send(Answer(flush.id, Flushed(flush.tokens, *flush.clearing.tokens_below)))
        for answer in search_on(searches, loop):
            channel.send(answer)
        if loop.busy:
            checked, worked = False, monotonic()
            outputs += loop.step()
        # Questions are no work: whoever asks without end does not put this off.
        elif (not messages or monotonic() - worked >= IDLE_CHECK_SECONDS) and not flushes and not checked:
            loop.cache.check_integrity()
            checked = True
        if outputs:
            channel.send(Outputs(outputs))


@dataclass(slots=True)
class _Flush:
    """A flush that goes on a slice at a time, so that a tree of a million nodes does not stop the requests.

    It is over when the tree is flushed and the files beneath it are gone: then nothing brings them back. Where the disk
    is out of reach it does not wait for that.
    """

    id: int
    clearing: Clearing
    dropping: Iterator[int]
    """Tokens of each node as it goes."""
    deadline: float
    """When the answer is given although the disk has not answered: what it could not remove it removes later."""
    tokens: int = 0
    goes_on: bool = True
    """Whether there is something to drop."""

    @classmethod
    def begin(cls, loop: EngineLoop, number: int, wanted: AskFlush) -> _Flush:
        clearing = loop.scheduler.tiering.clear(wanted.namespace, wanted.session, wanted.prefix)
        dropping = loop.cache.flushing(wanted.namespace, wanted.session, wanted.prefix)
        return cls(number, clearing, dropping, monotonic() + FLUSH_SECONDS)

    @property
    def ready(self) -> bool:
        """Whether its next slice could be dropped now."""
        return self.goes_on and self.clearing.unlocked

    def over(self) -> bool:
        """Drop a slice, if its turn has come; whether that was the end."""
        late = monotonic() > self.deadline
        if self.goes_on and (late or self.clearing.unlocked):
            dropped = list(islice(self.dropping, FLUSH_SLICE))
            self.tokens += sum(dropped)
            self.goes_on = len(dropped) == FLUSH_SLICE
        return not self.goes_on and (late or self.clearing.over)


def _answer(loop: EngineLoop, ask: Ask) -> Answer:
    """A question that fails is answered with its fault, and disturbs nothing else."""
    try:
        return Answer(ask.id, _result(loop, ask.question))
    except RadixaError as error:
        return Answer(ask.id, fault=Fault.of(error))
    except Exception:
        log.exception("a question to the engine failed: %s", type(ask.question).__name__)
        return Answer(ask.id, fault=Fault.of(RadixaError("the engine failed to answer this question")))


def _result(loop: EngineLoop, question: Question) -> Result:
    match question:
        case AskStats():
            return loop.stats()
        case TreeQuery():
            return loop.tree(question)
        case AskExplain(token_ids, namespace, read):
            return Explained(loop.explain(token_ids, namespace, read=read))
        case AskChanges():
            return loop.changes()
        case AskFlush() | AskNode():
            raise AssertionError("this is not answered at once")
