"""The engine alone, in this process: how fast it computes, held against ceilings taken in the same run.

Every row repeats its measurement and gives medians; what is compared is measured in turn (A B A B), so that a machine
whose speed drifts does not decide a ratio.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, TypeVar

from radixa.bench.bare import BareLoop, GroupedAttention
from radixa.bench.ceilings import Machine, measure_machine, prefill_flops
from radixa.core.base import CachePolicy, SamplingParams
from radixa.core.progress import Progress
from radixa.core.tokens import pack
from radixa.engine.base import EngineRequest, EngineSettings
from radixa.engine.load import load_engine
from radixa.engine.loop import EngineLoop

CONTEXT = 128
STEPS = 24
"""Decode steps in one measurement, the first of them at `CONTEXT - STEPS / 2` tokens."""

UNSHARED = CachePolicy(read=False, write=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what was run, what came out, and its share of a ceiling where there is one."""

    workload: str
    batch: int
    figures: dict[str, float]
    ratio: float | None = None
    """The figure that the workload is about, as the README's table names it."""


@dataclass(frozen=True, slots=True)
class EngineReport:
    machine: Machine
    model: str
    dtype: str
    attention: str
    ops: str
    rows: list[Row] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def bench_engine(
    settings: EngineSettings,
    workloads: Iterable[str],
    batches: Iterable[int] = (1, 8, 32),
    repeats: int = 5,
    progress: Progress | None = None,
) -> EngineReport:
    """Run `decode`, `prefill`, `ttft`, `mixed` or `shared-prefix:N` (N tokens) for each batch size that it takes."""
    tell = progress or (lambda what, done, total: None)
    loop = _told(tell, "loading the model", lambda: load_engine(settings))
    machine = _told(tell, "measuring the machine's matrix products", measure_machine)
    report = EngineReport(machine, loop.info.model, loop.info.dtype, loop.info.attention, loop.info.ops)
    for workload in workloads:
        for name, job in _jobs(loop, machine, settings, workload, list(batches)):
            report.rows.append(_told(tell, f"measuring {name}", partial(job, repeats)))
    return report


T = TypeVar("T")
Job = Callable[[int], Row]
"""Takes the number of repeats."""


def _told(progress: Progress, what: str, work: Callable[[], T]) -> T:
    """The result of `work`, which is one wait of unknown length."""
    progress(what, 0, 0)
    result = work()
    progress(what, 1, 1)
    return result


def _jobs(
    loop: EngineLoop, machine: Machine, settings: EngineSettings, workload: str, batches: list[int]
) -> list[tuple[str, Job]]:
    """What a workload measures, each with its name for the progress."""
    name, _, argument = workload.partition(":")
    match name:
        case "decode":
            return [(f"{workload}, batch {batch}", partial(decode, loop, batch)) for batch in batches]
        case "prefill":
            return [(workload, partial(prefill, loop, machine, int(argument or 512)))]
        case "ttft":
            return [(workload, partial(ttft, loop, int(argument or 1024), 32))]
        case "mixed":
            return [(workload, partial(mixed, loop))]
        case "shared-prefix":
            length = int(argument or 4096)
            return [
                (f"{workload}, batch {batch}", partial(shared_prefix, loop, settings, batch, length))
                for batch in batches
            ]
        case _:
            raise ValueError(f"no workload {workload!r}: expected decode, prefill, ttft, mixed or shared-prefix:N")


def decode(loop: EngineLoop, batch: int, repeats: int) -> Row:
    """Tokens a second of `batch` unshared sequences around 128 tokens of context: engine, and two bare loops."""
    from radixa.models.decoder import LlamaDecoder

    decoder = loop.runner.decoder
    assert isinstance(decoder, LlamaDecoder)
    grouped = GroupedAttention(batch)
    ways = {
        "bare": (decoder, loop.runner.attention),
        "bare_grouped": (LlamaDecoder(decoder.config, decoder.weights, decoder.ops, grouped), grouped),
    }
    start, room = CONTEXT - STEPS // 2, CONTEXT + STEPS
    taken: dict[str, list[float]] = {"engine": [], **{way: [] for way in ways}}
    for _ in range(repeats):
        _submit_random(loop, batch, start, STEPS + 1)
        _until_decoding(loop)
        taken["engine"] += _timed_steps(loop)
        for way, (model, attention) in ways.items():
            bare = BareLoop.start(model, attention, loop.runner.storage.k.dtype, start, batch, room)
            bare.step()
            taken[way] += [bare.step() for _ in range(STEPS - 1)]
    rates = {f"{way}_tokens_per_s": batch / statistics.median(times) for way, times in taken.items()}
    best = max(rates["bare_tokens_per_s"], rates["bare_grouped_tokens_per_s"])
    return Row("decode", batch, rates, rates["engine_tokens_per_s"] / best)


def prefill(loop: EngineLoop, machine: Machine, tokens: int, repeats: int) -> Row:
    """A prompt nobody has seen: its speed, and the share of what the model's matrix products allow."""
    times = []
    for seed in range(repeats + 1):
        loop.submit(_request(loop, f"prefill-{seed}", tokens, 1, UNSHARED, seed))
        times.append(_drain(loop))
    seconds = statistics.median(times[1:])
    ceiling = prefill_flops(loop.runner.decoder.config, tokens) / machine.best_flops
    figures = {"tokens_per_s": tokens / seconds, "seconds": seconds, "ceiling_seconds": ceiling}
    return Row(f"prefill:{tokens}", 1, figures, ceiling / seconds)


def ttft(loop: EngineLoop, prefix: int, new: int, repeats: int) -> Row:
    """Seconds to the first token of a prompt of `prefix + new` tokens, with nothing and with its prefix in the tree."""
    warm: list[float] = []
    cold: list[float] = []
    for seed in range(repeats):
        head = _tokens(loop, prefix, 1000 + seed)
        for into in (cold, warm):
            prompt = pack(head + _tokens(loop, new, 2000 + 2 * seed + (into is warm)))
            if into is cold:
                loop.flush()
            sampling = SamplingParams(max_tokens=1, temperature=0, ignore_eos=True)
            loop.submit(EngineRequest(f"ttft-{seed}-{id(into)}", prompt, sampling=sampling))
            into.append(_drain(loop))
    loop.flush()
    figures = {"cold_seconds": statistics.median(cold), "warm_seconds": statistics.median(warm)}
    return Row(f"ttft:{prefix}+{new}", 1, figures, figures["warm_seconds"] / figures["cold_seconds"])


def mixed(loop: EngineLoop, repeats: int, sequences: int = 256) -> Row:
    """`sequences` requests of 100 to 1,024 tokens in and out, seed 0: nano-vllm's and mini-sglang's workload."""
    rng = random.Random(0)
    lengths = [(rng.randint(100, 1024), rng.randint(100, 1024)) for _ in range(sequences)]
    times = []
    for _ in range(repeats):
        for i, (prompt, answer) in enumerate(lengths):
            loop.submit(_request(loop, f"mixed-{i}", prompt, answer, CachePolicy(), i))
        times.append(_drain(loop))
        loop.flush()
    seconds = statistics.median(times)
    tokens_in, tokens_out = (sum(part) for part in zip(*lengths, strict=True))
    figures = {"seconds": seconds, "tokens_in": tokens_in, "tokens_out": tokens_out, "out_per_s": tokens_out / seconds}
    return Row("mixed", sequences, figures)


def shared_prefix(loop: EngineLoop, settings: EngineSettings, batch: int, prefix: int, repeats: int) -> Row:
    """A decode step of `batch` sequences over one shared prefix, attended as a tree and flat."""
    from radixa.attention.select import make_attention
    from radixa.engine.runner import Runner
    from radixa.models.decoder import LlamaDecoder

    decoder = loop.runner.decoder
    assert isinstance(decoder, LlamaDecoder)
    usual = loop.runner
    head = _tokens(loop, prefix, 7)
    seconds: dict[str, list[float]] = {"tree": [], "flat": []}
    runners = {}
    for way, mode in (("tree", settings.attention), ("flat", "off")):
        attention = make_attention(mode)
        model = LlamaDecoder(decoder.config, decoder.weights, decoder.ops, attention)
        runners[way] = Runner(model, usual.storage, attention)
    for repeat in range(repeats):
        sampling = SamplingParams(max_tokens=2 * STEPS, temperature=0, ignore_eos=True)
        for i in range(batch):
            prompt = pack(head + _tokens(loop, 32, 100 * repeat + i))
            loop.submit(EngineRequest(f"shared-{repeat}-{i}", prompt, sampling=sampling))
        _until_decoding(loop)
        for step in range(STEPS):
            way = "tree" if step % 2 else "flat"
            loop.runner = runners[way]
            start = time.perf_counter()
            loop.step()
            seconds[way].append(time.perf_counter() - start)
        loop.runner = usual
        _drain(loop)
    loop.flush()
    tree, flat = statistics.median(seconds["tree"]), statistics.median(seconds["flat"])
    figures = {"tree_step_seconds": tree, "flat_step_seconds": flat, "tree_tokens_per_s": batch / tree}
    return Row(f"shared-prefix:{prefix}", batch, figures, flat / tree)


def _tokens(loop: EngineLoop, count: int, seed: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(10, loop.info.vocab_size) for _ in range(count)]


def _request(loop: EngineLoop, name: str, prompt: int, answer: int, cache: CachePolicy, seed: int) -> EngineRequest:
    sampling = SamplingParams(max_tokens=answer, temperature=0, ignore_eos=True)
    return EngineRequest(name, pack(_tokens(loop, prompt, seed)), sampling=sampling, cache=cache)


def _submit_random(loop: EngineLoop, batch: int, prompt: int, answer: int) -> None:
    for i in range(batch):
        loop.submit(_request(loop, f"r{loop.counters.requests}", prompt, answer, UNSHARED, i))


def _until_decoding(loop: EngineLoop) -> None:
    """Step until every request is past its prompt."""
    while len(loop.scheduler.waiting) or any(s.prefilling or not s.generated for s in loop.scheduler.running):
        loop.step()


def _timed_steps(loop: EngineLoop) -> list[float]:
    """Seconds of each step until nothing runs, but for the first and those after a sequence has ended."""
    batch = len(loop.scheduler.running)
    loop.step()
    times = []
    while len(loop.scheduler.running) == batch:
        start = time.perf_counter()
        loop.step()
        times.append(time.perf_counter() - start)
    _drain(loop)
    return times[:-1]


def _drain(loop: EngineLoop) -> float:
    """Seconds until nothing is left to do."""
    start = time.perf_counter()
    while loop.busy:
        loop.step()
    return time.perf_counter() - start
