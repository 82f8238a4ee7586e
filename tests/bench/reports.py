"""Reports of runs that never happened."""

from __future__ import annotations

from radixa.bench.base import Cost, Measurement, Mode, Report, RequestSpec, Run
from radixa.core.base import Message


def some_run(mode: Mode, cached: int | None, ttft: float) -> Run:
    """Ten requests of 100 prompt tokens; the n-th takes n times `ttft` to its first token."""
    spec = RequestSpec("t", 0, (Message("user", "hello"),), 8)
    return Run(
        mode,
        tuple(
            Measurement(spec, "answer", 100, cached, 100 - (cached or 0), 8, n * ttft, n * ttft + 0.1)
            for n in range(1, 11)
        ),
        seconds=4.0 if cached else 8.0,
    )


def some_report(name: str = "chatbot", ttft: float = 0.01) -> Report:
    """90 % hits, 81 % of the prompt cost saved; the first token `ttft` / 0.04 as late."""
    return Report(
        scenario=name,
        title=f"The {name} <case>",
        model="tiny",
        priced_as="deepseek-chat",
        bound=0.91,
        reuse=some_run("reuse", 90, ttft),
        force_miss=some_run("force-miss", 0, 0.04),
        reuse_cost=Cost(prompt=19_000, total=29_000),
        force_miss_cost=Cost(prompt=100_000, total=110_000),
    )
