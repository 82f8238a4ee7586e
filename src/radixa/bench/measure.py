"""A scenario three ways: with reuse, force-missed on the same requests, and the bound of an infinite cache.

Servers of ours are started one after the other, since two engines at once would ruin both measurements. A server of any
make cannot be told to miss, so there every request of the second run begins with a fresh line of the same length; the
first run begins all of its requests with one and the same line, so that nothing of an earlier run hits.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from radixa.bench.base import Mode, Programs, Report, Run, Scenario
from radixa.bench.bound import bound
from radixa.bench.client import Client, connect
from radixa.bench.cost import run_cost
from radixa.bench.programs import run_programs
from radixa.bench.reported import completed
from radixa.bench.runner import OpeningLine, run, sampling
from radixa.bench.scenarios import SCENARIOS, SizeName
from radixa.core.base import Message
from radixa.core.config import ModelEntry
from radixa.core.errors import CallFailed, ConfigError
from radixa.core.money import TokenPrices
from radixa.core.progress import Progress
from radixa.lang.serving import started
from radixa.models.base import ChatTemplate, Tokenizer

DEFAULT_MODEL = "smollm2"
PRICED_AS = "deepseek-chat"
_WARM_UP = "Count from one to ten in words, then from ten to one, and say which of the two was easier."
_WARM_UP_TOKENS = 8
_LINE_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The tokenizer and chat template that scenarios are sized by and bounds are computed with."""

    tokenizer: Tokenizer
    template: ChatTemplate

    def prompt(self, messages: Sequence[Message]) -> bytes:
        return self.tokenizer.encode(self.template.render(messages))

    def text(self, text: str) -> bytes:
        return self.tokenizer.encode(text, special=False)


def yardstick(model: str, progress: Progress) -> Yardstick:
    """That of a model of ours, fetched where it is missing."""
    from radixa.models.chat_template import load_chat_template
    from radixa.models.prepare import prepare
    from radixa.models.tokenizer import load_tokenizer

    folder = prepare(model, progress=progress)
    return Yardstick(load_tokenizer(folder.path), load_chat_template(folder.path))


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and how its costs and bounds are found."""

    scenarios: Sequence[Scenario | Programs]
    by: Yardstick
    priced_as: str
    prices: TokenPrices
    concurrency: int
    progress: Progress


def plan(
    names: Sequence[str], *, size: SizeName, sized_by: str, seed: int, concurrency: int, progress: Progress
) -> Plan:
    """The scenarios of these names, built with the tokenizer of the model `sized_by`, priced as `PRICED_AS`."""
    from radixa.core.loading import load

    prices = _prices(load().config.models)
    by = yardstick(sized_by, progress)
    scenarios: list[Scenario | Programs] = []
    for done, name in enumerate(names):
        progress("writing the requests", done, len(names))
        scenarios.append(SCENARIOS[name].build(by.tokenizer, seed, size))
    progress("writing the requests", len(names), len(names))
    return Plan(scenarios, by, PRICED_AS, prices, concurrency, progress)


def _prices(own: Sequence[ModelEntry]) -> TokenPrices:
    """Today's of the model that costs are computed by. ConfigError where the configuration makes them unknown."""
    from radixa.gateway.catalogue import dated_prices, entries_with, prices_on

    entry = next(entry for entry in entries_with(own) if entry.id == PRICED_AS)
    found = prices_on(datetime.now(UTC).date().isoformat(), dated_prices(entry))
    if found is None:
        raise ConfigError(
            f"[[models]]: {PRICED_AS} has no price of input or output today, and costs are computed by both"
        )
    return found


def measure_own(
    plan: Plan,
    model: str,
    *,
    sandbox: bool = False,
    flush: bool = True,
    before_stop: Callable[[str], None] | None = None,
) -> list[Report]:
    """Measure on servers started for it.

    `flush` empties the cache between scenarios. `before_stop` is called with the address of the server that reuses,
    while it still has its tree.
    """
    plan.progress("starting the server", 0, 0)
    with started(model, sandbox=sandbox) as server:
        plan.progress("starting the server", 1, 1)
        name, reused = asyncio.run(_run_all(plan, server.url, mode="reuse", flush=flush))
        if before_stop:
            before_stop(server.url)
    plan.progress("starting the server that reuses nothing", 0, 0)
    with started(model, sandbox=sandbox, force_miss=True) as server:
        plan.progress("starting the server that reuses nothing", 1, 1)
        _, missed = asyncio.run(_run_all(plan, server.url, mode="force-miss", flush=flush, recorded=reused))
    return _reports(plan, name, reused, missed)


def measure_url(plan: Plan, url: str, api_key: str | None, model: str | None) -> list[Report]:
    """Measure a running server of any make. Without a `model`, its first."""
    name, reused = asyncio.run(_run_all(plan, url, mode="reuse", api_key=api_key, model=model, line=_one_line()))
    _, missed = asyncio.run(
        _run_all(plan, url, mode="force-miss", api_key=api_key, model=model, line=_fresh_lines(), recorded=reused)
    )
    return _reports(plan, name, reused, missed)


async def _run_all(
    plan: Plan,
    url: str,
    *,
    mode: Mode,
    api_key: str | None = None,
    model: str | None = None,
    line: OpeningLine | None = None,
    flush: bool = False,
    recorded: Sequence[Run] | None = None,
) -> tuple[str, list[Run]]:
    """Every scenario on one server, after a warm-up; the model's name and a run for each scenario."""
    async with connect(url, api_key) as client:
        plan.progress(f"warming up, {mode}", 0, 0)
        name = model or await client.default_model()
        await _warm_up(client, name, plan.concurrency)
        plan.progress(f"warming up, {mode}", 1, 1)
        runs: list[Run] = []
        for index, scenario in enumerate(plan.scenarios):
            if flush or (line is None and not runs):
                await client.delete("/v1/cache")
            how: dict[str, Any] = {
                "concurrency": plan.concurrency,
                "recorded": recorded[index] if recorded else None,
                "opening_line": line,
                "progress": plan.progress,
            }
            if isinstance(scenario, Programs):
                runs.append(await run_programs(client, name, scenario, mode, **how))
            else:
                runs.append(await run(client, name, scenario, mode, **how))
        return name, runs


async def _warm_up(client: Client, model: str, concurrency: int) -> None:
    """A few requests about something else: first-use work is done before anything is timed."""
    message = [Message("user", _WARM_UP)]
    answers = await asyncio.gather(
        *(client.complete(model, message, **sampling(model, _WARM_UP_TOKENS)) for _ in range(concurrency))
    )
    if not all(answer.usage.get("prompt_tokens") for answer in answers):
        raise CallFailed(f"{client.url} reports no usage in its streams, so nothing can be measured there")


def _one_line() -> OpeningLine:
    text = _digits()
    return lambda request: text


def _fresh_lines() -> OpeningLine:
    return lambda request: _digits()


def _digits() -> str:
    """A line nobody has sent before. Tokenizers cut digits into pieces of fixed length: as many tokens each time."""
    return "Run " + "".join(secrets.choice("123456789") for _ in range(_LINE_DIGITS))


def _reports(plan: Plan, model: str, reused: Sequence[Run], missed: Sequence[Run]) -> list[Report]:
    reports = []
    for done, (scenario, on, off) in enumerate(zip(plan.scenarios, reused, missed, strict=True)):
        plan.progress("computing the bound", done, len(reused))
        on, off = completed(on, off)
        reports.append(
            Report(
                scenario=scenario.name,
                title=scenario.title,
                model=model,
                priced_as=plan.priced_as,
                bound=bound(on.measurements, plan.by.prompt, plan.by.text),
                reuse=on,
                force_miss=off,
                reuse_cost=run_cost(on.measurements, plan.prices),
                force_miss_cost=run_cost(off.measurements, plan.prices),
            )
        )
    plan.progress("computing the bound", len(reused), len(reused))
    return reports
