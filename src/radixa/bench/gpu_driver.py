"""Requests for a benchmark of the engine in this process, and the clock around its steps."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from radixa.core.base import CachePolicy, SamplingParams
from radixa.core.tokens import pack
from radixa.engine.base import EngineRequest
from radixa.engine.loop import EngineLoop

SETTLE = 6
"""Steps between the last prompt and the first that is timed."""


@dataclass(slots=True)
class Driver:
    """Submits greedy requests of random tokens to a loop on a GPU, and steps it."""

    loop: EngineLoop
    serial: int = 0
    """Of requests, so that each has a name and tokens of its own."""

    def stretch(self, steps: int) -> float:
        """Seconds of so many steps, the device's work included."""
        import torch

        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(steps):
            self.loop.step()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    def decode_rate(self) -> float:
        """Tokens a second from when all that was submitted decodes until the first sequence ends."""
        self.until_decoding()
        for _ in range(SETTLE):
            self.loop.step()
        batch = len(self.loop.scheduler.running)
        before, start = self.loop.counters.generated_tokens, time.perf_counter()
        tokens, seconds = before, 1.0
        while len(self.loop.scheduler.running) == batch:
            tokens, seconds = self.loop.counters.generated_tokens, time.perf_counter() - start
            self.loop.step()
        self.drain()
        return (tokens - before) / seconds

    def until_decoding(self) -> None:
        scheduler = self.loop.scheduler
        while len(scheduler.waiting) or any(not s.generated for s in scheduler.running):
            self.loop.step()

    def drain(self) -> float:
        """Seconds until nothing is left to do."""
        start = time.perf_counter()
        while self.loop.busy:
            self.loop.step()
        return time.perf_counter() - start

    def warm(self, head: list[int]) -> None:
        sampling = SamplingParams(max_tokens=0, temperature=0)
        self.loop.submit(EngineRequest(self._name(), pack(head), sampling=sampling))
        self.drain()

    def submit(self, head: list[int], own: int, answer: int, cache: CachePolicy | None = None) -> None:
        sampling = SamplingParams(max_tokens=answer, temperature=0, ignore_eos=True)
        prompt = pack(head + self.random(own))
        refused = self.loop.submit(EngineRequest(self._name(), prompt, "", sampling, cache or CachePolicy()))
        assert refused is None, refused

    def _name(self) -> str:
        self.serial += 1
        return f"r{self.serial}"

    def random(self, count: int) -> list[int]:
        self.serial += 1
        rng = random.Random(self.serial)
        return rng.choices(range(10, self.loop.info.vocab_size), k=count)
