"""What an engine has done since its start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from radixa.core.base import Usage
from radixa.engine.scheduler import Work
from radixa.engine.sequence import Sequence


@dataclass(slots=True)
class Counters:
    """Counts by the names that `EngineStats` has for them; only ever added to (law 8)."""

    steps: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    computed_tokens: int = 0
    generated_tokens: int = 0
    wanted_tokens: int = 0
    host_tokens: int = 0
    disk_tokens: int = 0

    def queued(self, sequence: Sequence) -> None:
        self.requests += 1
        self.prompt_tokens += sequence.prompt_tokens

    def step(self, work: Iterable[Work]) -> None:
        """A step is done, and its sequences do not know yet."""
        self.steps += 1
        for sequence, tokens in work:
            self.computed_tokens += max(0, min(tokens, sequence.prompt_tokens - sequence.computed))

    def found(self, usage: Usage) -> None:
        """What a request's first admission found, once its first token is there."""
        self.cached_tokens += usage.cached_tokens
        self.host_tokens += usage.host_tokens
        self.disk_tokens += usage.disk_tokens
        if usage.miss is not None:
            self.wanted_tokens += usage.miss.lost
