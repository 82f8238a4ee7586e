"""Run a scenario's programs against a server of any make, and measure every request that they send.

Programs run as anybody's do: threads, forks, a batch. Their back end sends messages through the client that times all
other scenarios, so many at a time as asked for, and never warms a prefix: both runs send the same requests.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from radixa.bench.base import Measurement, Mode, Programs, RequestSpec, Run
from radixa.bench.client import Client
from radixa.bench.runner import OpeningLine, ask
from radixa.core.base import Message
from radixa.core.errors import CallFailed, InvalidRequest
from radixa.core.progress import Progress
from radixa.lang.base import Answer, Listener, Options, Prompt
from radixa.lang.chat_backend import ChatBackend, messages_of, refuse

Conversation = tuple[Message, ...]


async def run_programs(
    client: Client,
    model: str,
    scenario: Programs,
    mode: Mode,
    *,
    concurrency: int,
    recorded: Run | None = None,
    opening_line: OpeningLine | None = None,
    progress: Progress,
) -> Run:
    """Run all of them once, greedily sampled.

    With `recorded` they go on with the answers of that run, so that both runs send the same requests. The first failure
    ends the run.
    """

    def step(done: int) -> None:
        progress(f"{scenario.name}, {mode}", done, scenario.requests)

    backend = MeasuringBackend(client, model, scenario.name, concurrency, opening_line, step)
    for m in recorded.measurements if recorded else ():
        backend.answers.setdefault(m.request.messages, m.answer)
    step(0)
    start = time.perf_counter()
    try:
        states = await asyncio.to_thread(scenario.program.run_batch, scenario.batch, backend=backend, temperature=0.0)
    finally:
        backend.stop()
    seconds = time.perf_counter() - start
    for error in (backend.failure, *(state.error() for state in states)):
        if error is not None:
            raise error
    return Run(mode, tuple(backend.measured[number] for number in sorted(backend.measured)), seconds)


class MeasuringBackend(ChatBackend):
    """`lang.base.Backend` on top of the measuring client, whose event loop is the one this is made in."""

    def __init__(
        self,
        client: Client,
        model: str,
        name: str,
        concurrency: int,
        opening_line: OpeningLine | None,
        step: Callable[[int], None],
    ) -> None:
        super().__init__(model, client)
        self.answers: dict[Conversation, str] = {}
        """What programs go on with: the first answer to each prompt, or the recorded one."""
        self.measured: dict[int, Measurement] = {}
        """By the requests' numbers in the order of sending."""
        self.failure: Exception | None = None
        self._name = name
        self._opening_line = opening_line
        self._step = step
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(concurrency)
        self._sent = 0
        self._stopped = False

    def generate(self, prompt: Prompt, options: Options, listener: Listener | None = None) -> list[Answer]:
        refuse("a scenario", options, ["min_tokens", "stop", "stop_token_ids", "stop_regex", "regex", "json_schema"])
        messages = tuple(Message(m["role"], m["content"]) for m in messages_of(prompt, continues=False))
        found = asyncio.run_coroutine_threadsafe(self._ask(messages, options.max_tokens or 0), self._loop).result()
        return [Answer(self.answers[messages], {"cached_tokens": found.cached_tokens})]

    def formed(self, prompt: Prompt, schema: dict[str, Any]) -> Answer:
        raise InvalidRequest("select: a scenario's answers are free text, which every server gives. Use gen.")

    def stop(self) -> None:
        """Send nothing more, whatever programs still run."""
        self._stopped = True

    async def _ask(self, messages: Conversation, max_tokens: int) -> Measurement:
        async with self._room:
            if self._stopped or self.failure is not None:
                raise CallFailed(f"{self._name} was stopped")
            number, self._sent = self._sent, self._sent + 1
            request = RequestSpec(self._name, number, messages, max_tokens)
            try:
                found = await ask(
                    self.client, self.model, request, self._opening_line(request) if self._opening_line else ""
                )
            except CallFailed as error:
                self.failure = self.failure or error
                raise
        self.measured[number] = found
        self.answers.setdefault(messages, found.answer)
        self._step(len(self.measured))
        return found
