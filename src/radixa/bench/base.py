"""What a scenario is, what is measured of it, and what a report holds.

A scenario is data: threads of user turns, or a program of the front-end language and its arguments. It is asked, the
real answers are fed back, and every request is recorded, so that the same requests can be asked again of a server that
reuses nothing. What a server does not report is None here and "not reported" on paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from radixa.core.base import Message
from radixa.lang.function import Function

Mode = Literal["reuse", "force-miss"]


class Codec(Protocol):
    """The part of a tokenizer that a scenario needs, to be exactly as long as it says."""

    def encode(self, text: str, *, special: bool = True) -> bytes:
        """Token ids as bytes (`core.tokens`)."""
        ...

    def decode(self, token_ids: list[int], *, skip_special: bool = True) -> str: ...


@dataclass(frozen=True, slots=True)
class Thread:
    """One conversation: a user's turns, each answered before the next is asked.

    `turns` are appended to `opening`. A branch goes on from another thread's first turns and their answers instead.
    """

    name: str
    opening: tuple[Message, ...]
    turns: tuple[str, ...]
    branch_of: str | None = None
    branch_after: int = 0
    """Turns of `branch_of` that are shared; at least 1 where `branch_of` is set."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Threads asked in rounds: every thread's first turn, then every second, so that conversations interleave."""

    name: str
    title: str
    threads: tuple[Thread, ...]
    answer_tokens: int
    """Tokens asked for in each answer."""

    @property
    def requests(self) -> int:
        return sum(len(thread.turns) for thread in self.threads)


@dataclass(frozen=True, slots=True)
class Programs:
    """A program of the front-end language, run once for each of a batch of arguments, side by side."""

    name: str
    title: str
    program: Function
    batch: tuple[dict[str, Any], ...]
    requests: int
    """How many answers all of them ask for together."""


@dataclass(frozen=True, slots=True)
class RequestSpec:
    """One request as it is sent: the whole conversation up to and including this turn."""

    thread: str
    """Of a program's request: the scenario's name."""
    turn: int
    """Counted from 0 within the thread; of a program's request, in the order of sending."""
    messages: tuple[Message, ...]
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one request gave. Times in seconds, seen by the client; counts as the server's `usage` says."""

    request: RequestSpec
    answer: str
    prompt_tokens: int
    cached_tokens: int | None
    """None where the server does not report it."""
    cache_write_tokens: int
    completion_tokens: int
    ttft: float
    duration: float


@dataclass(frozen=True, slots=True)
class Run:
    """All of a scenario's requests once, in the order in which they were sent."""

    mode: Mode
    measurements: tuple[Measurement, ...]
    seconds: float

    @property
    def prompt_tokens(self) -> int:
        return sum(m.prompt_tokens for m in self.measurements)

    @property
    def cached_tokens(self) -> int | None:
        """None where a request's are not reported."""
        reported = [m.cached_tokens for m in self.measurements if m.cached_tokens is not None]
        return sum(reported) if len(reported) == len(self.measurements) else None

    @property
    def cache_write_tokens(self) -> int:
        return sum(m.cache_write_tokens for m in self.measurements)

    @property
    def computed_tokens(self) -> int | None:
        """Prompt tokens that went through the model."""
        return None if self.cached_tokens is None else self.prompt_tokens - self.cached_tokens

    @property
    def completion_tokens(self) -> int:
        return sum(m.completion_tokens for m in self.measurements)

    @property
    def hit_rate(self) -> float | None:
        return None if self.cached_tokens is None else self.cached_tokens / self.prompt_tokens

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens a second over the whole run."""
        return self.completion_tokens / self.seconds

    def ttft(self, percent: int) -> float:
        """Seconds to the first token that `percent` of the requests did not exceed (nearest rank)."""
        ordered = sorted(m.ttft for m in self.measurements)
        return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


@dataclass(frozen=True, slots=True)
class Cost:
    """Integer nano-dollars of a run at one model's prices; None where they depend on what is not reported."""

    prompt: int | None
    total: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """A scenario three ways: with reuse, force-missed, and what an infinite cache could have spared."""

    scenario: str
    title: str
    model: str
    priced_as: str
    """The model whose prices the costs are in."""
    bound: float
    """1 - distinct tree tokens / prompt tokens: the hit rate of an infinite cache."""
    reuse: Run
    force_miss: Run
    reuse_cost: Cost
    force_miss_cost: Cost

    @property
    def prompt_cost_saved(self) -> float | None:
        return saved(self.force_miss_cost.prompt, self.reuse_cost.prompt)

    @property
    def total_cost_saved(self) -> float | None:
        return saved(self.force_miss_cost.total, self.reuse_cost.total)

    @property
    def ttft_saved(self) -> float:
        """Of the median time to the first token."""
        return 1 - self.reuse.ttft(50) / self.force_miss.ttft(50)

    @property
    def time_saved(self) -> float:
        return 1 - self.reuse.seconds / self.force_miss.seconds

    def as_json(self) -> dict[str, Any]:
        """The figures, times in milliseconds, shares between 0 and 1, savings in percent, costs in dollars; null for
        what is not reported."""
        return {
            "scenario": self.scenario,
            "model": self.model,
            "priced_as": self.priced_as,
            "requests": len(self.reuse.measurements),
            "hit_rate": _rounded(self.reuse.hit_rate, 4),
            "bound": round(self.bound, 4),
            "cost_saved_percent": _percent(self.prompt_cost_saved),
            "total_cost_saved_percent": _percent(self.total_cost_saved),
            "ttft_saved_percent": _percent(self.ttft_saved),
            "time_saved_percent": _percent(self.time_saved),
            "reuse": _run_json(self.reuse, self.reuse_cost),
            "force_miss": _run_json(self.force_miss, self.force_miss_cost),
        }


def saved(off: float | None, on: float | None) -> float | None:
    """The share of a figure without reuse that reuse spares; None where one of them is not reported."""
    return None if on is None or off is None else 1 - on / off


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 2)


def _dollars(nano: int | None) -> float | None:
    return None if nano is None else nano / 1e9


def _run_json(run: Run, cost: Cost) -> dict[str, Any]:
    return {
        "prompt_tokens": run.prompt_tokens,
        "cached_tokens": run.cached_tokens,
        "prompt_tokens_computed": run.computed_tokens,
        "completion_tokens": run.completion_tokens,
        "prompt_cost_usd": _dollars(cost.prompt),
        "total_cost_usd": _dollars(cost.total),
        "ttft_p50_ms": round(1000 * run.ttft(50), 1),
        "ttft_p95_ms": round(1000 * run.ttft(95), 1),
        "tokens_per_second": round(run.tokens_per_second, 1),
        "seconds": round(run.seconds, 2),
    }
