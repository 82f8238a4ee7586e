"""The engine on a GPU, through the real scheduler and cache: speeds, held against ceilings taken in the same run.

All sequences are greedy with fixed lengths and random tokens. A rate of decoding is taken from when every sequence of
the batch decodes until the first of them ends, by the host's clock, which runs on while the device does.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

from radixa.bench.ceilings import prefill_flops
from radixa.bench.engine import UNSHARED, Row
from radixa.bench.gpu_ceilings import Gpu, measure_gpu, weight_bytes
from radixa.bench.gpu_driver import SETTLE, Driver
from radixa.core.base import CachePolicy
from radixa.core.progress import Progress
from radixa.engine.base import EngineSettings
from radixa.engine.load import load_engine

if TYPE_CHECKING:
    from radixa.engine.cuda.overlap import OverlappedLoop
    from radixa.engine.cuda.runner import CudaRunner

OWN, NEW = 128, 256
"""Of a sequence behind a shared prefix: tokens of its own prompt, and of its answer."""

STEP_ROWS, MOST = 8192, 256
"""Prompt tokens of a step, and sequences."""


@dataclass(frozen=True, slots=True)
class GpuReport:
    gpu: Gpu
    model: str
    dtype: str
    attention: str
    ops: str
    rows: list[Row] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def bench_gpu(
    settings: EngineSettings,
    workloads: Iterable[str],
    batches: Iterable[int],
    repeats: int = 3,
    progress: Progress | None = None,
) -> GpuReport:
    """Run `decode[:N]`, `prefill[:N]`, `prefill-cached[:N]`, `ttft[:N]`, `mixed`, `shared-prefix[:N]` or
    `prefixes[:N]`, for each batch size where it takes one."""
    tell = progress or (lambda what, done, total: None)
    bench = GpuBench.load(settings)
    info = bench.loop.info
    report = GpuReport(bench.gpu, info.model, info.dtype, info.attention, info.ops)
    for workload in workloads:
        for batch in batches if workload.split(":")[0] in ("decode", "shared-prefix") else (0,):
            tell(f"measuring {workload}", 0, 0)
            report.rows.append(bench.row(workload, batch, repeats))
            tell(f"measuring {workload}", 1, 1)
    return report


@dataclass(slots=True)
class GpuBench:
    """A loaded engine, and what is measured on it."""

    gpu: Gpu
    loop: OverlappedLoop
    drive: Driver
    flat: CudaRunner | None = None
    """Beside the loop's own, for comparisons."""

    @classmethod
    def load(cls, settings: EngineSettings) -> GpuBench:
        gpu = measure_gpu()
        loop = cast("OverlappedLoop", load_engine(settings))
        return cls(gpu, loop, Driver(loop))

    def row(self, workload: str, batch: int, repeats: int) -> Row:
        name, _, argument = workload.partition(":")
        match name:
            case "decode":
                return self.decode(batch, int(argument or 1024), repeats)
            case "shared-prefix":
                return self.shared(batch, int(argument or 8192), repeats)
            case "prefixes":
                return self.prefixes(int(argument or 4096), repeats)
            case "prefill":
                return self.prefill(0, int(argument or 4096), repeats)
            case "prefill-cached":
                return self.prefill(int(argument or 8192), 1024, repeats)
            case "ttft":
                return self.ttft(int(argument or 8192), 32, repeats)
            case "mixed":
                return self.mixed(repeats)
        raise ValueError(
            f"no workload {workload!r} on a GPU: expected decode, prefill, prefill-cached, ttft, mixed, shared-prefix "
            "or prefixes"
        )

    def decode(self, batch: int, context: int, repeats: int, new: int = 128) -> Row:
        """Unshared sequences around so many tokens of context, and the share of what their bytes allow."""
        rates = []
        for _ in range(repeats):
            for _ in range(batch):
                self.drive.submit([], context - new // 2, new, UNSHARED)
            rates.append(self.drive.decode_rate())
        config = self.loop.runner.decoder.config
        bytes_read = weight_bytes(config) + batch * context * self.loop.info.bytes_per_token
        return self._decoding(f"decode:{context}", batch, rates, bytes_read)

    def shared(self, batch: int, prefix: int, repeats: int) -> Row:
        """Sequences that go on from one prefix, each by 128 tokens of its own and 256 of its answer."""
        rates = []
        for _ in range(repeats):
            head = self.drive.random(prefix)
            self.drive.warm(head)
            for _ in range(batch):
                self.drive.submit(head, OWN, NEW)
            rates.append(self.drive.decode_rate())
            self.loop.flush()
        config = self.loop.runner.decoder.config
        tokens = prefix + batch * (OWN + NEW // 2)
        bytes_read = weight_bytes(config) + tokens * self.loop.info.bytes_per_token
        return self._decoding(f"shared-prefix:{prefix}", batch, rates, bytes_read)

    def prefixes(self, prefix: int, repeats: int, count: int = 10, each: int = 12) -> Row:
        """Several prefixes at once, with `each` sequences on every one."""
        rates = []
        for _ in range(repeats):
            heads = [self.drive.random(prefix) for _ in range(count)]
            for head in heads:
                self.drive.warm(head)
            for _ in range(each):
                for head in heads:
                    self.drive.submit(head, OWN, NEW)
            rates.append(self.drive.decode_rate())
            self.loop.flush()
        config = self.loop.runner.decoder.config
        tokens = count * prefix + count * each * (OWN + NEW // 2)
        bytes_read = weight_bytes(config) + tokens * self.loop.info.bytes_per_token
        return self._decoding(f"prefixes:{prefix}", count * each, rates, bytes_read)

    def prefill(self, cached: int, new: int, repeats: int) -> Row:
        """A prompt, behind `cached` tokens that are in the tree, and its share of what its operations allow."""
        times = []
        for _ in range(repeats + 1):
            head = self.drive.random(cached)
            if cached:
                self.drive.warm(head)
            self.drive.submit(head, new, 1, CachePolicy() if cached else UNSHARED)
            times.append(self.drive.drain())
            self.loop.flush()
        seconds = statistics.median(times[1:])
        config = self.loop.runner.decoder.config
        flops = prefill_flops(config, cached + new) - (prefill_flops(config, cached) if cached else 0)
        bound = flops / self.gpu.matrix_flops
        figures = {"seconds": seconds, "tokens_per_s": new / seconds, "ceiling_seconds": bound}
        return Row(f"prefill:{cached}+{new}", 1, figures, bound / seconds)

    def ttft(self, prefix: int, new: int, repeats: int) -> Row:
        """Seconds to the first token with nothing and with the prefix in the tree."""
        cold: list[float] = []
        warm: list[float] = []
        for _ in range(repeats + 1):
            head = self.drive.random(prefix)
            for into in (cold, warm):
                self.drive.submit(head, new, 1)
                into.append(self.drive.drain())
            self.loop.flush()
        seconds = [statistics.median(times[1:]) for times in (cold, warm)]
        figures = {"cold_seconds": seconds[0], "warm_seconds": seconds[1]}
        return Row(f"ttft:{prefix}+{new}", 1, figures, seconds[1] / seconds[0])

    def mixed(self, repeats: int, sequences: int = 256) -> Row:
        """Requests of 100 to 1,024 tokens in and out, seed 0: nano-vllm's and mini-sglang's workload."""
        rng = random.Random(0)
        lengths = [(rng.randint(100, 1024), rng.randint(100, 1024)) for _ in range(sequences)]
        times = []
        for _ in range(repeats):
            for prompt, answer in lengths:
                self.drive.submit([], prompt, answer)
            times.append(self.drive.drain())
            self.loop.flush()
        seconds = statistics.median(times)
        tokens_in, tokens_out = (sum(part) for part in zip(*lengths, strict=True))
        figures = {
            "seconds": seconds, "tokens_in": tokens_in, "tokens_out": tokens_out, "out_per_s": tokens_out / seconds
        }  # fmt: skip
        return Row("mixed", sequences, figures)

    def busy(self, batch: int, context: int, steps: int = 24) -> tuple[Row, str]:
        """The share of a stretch of decoding in which a kernel runs, and a table of the kernels."""
        import torch
        from torch.profiler import ProfilerActivity, profile

        for _ in range(batch):
            self.drive.submit([], context - 64, 128, UNSHARED)
        self.drive.until_decoding()
        with profile(activities=[ProfilerActivity.CUDA]) as seen:
            for _ in range(steps):
                self.loop.step()
            torch.cuda.synchronize()
        self.drive.drain()
        spans = sorted(
            (event.time_range.start, event.time_range.end)
            for event in seen.events()
            if event.device_type.name == "CUDA"
        )
        # Not the first step, which the profiler disturbs.
        first = spans[0][0] + (spans[-1][1] - spans[0][0]) * 2 / steps
        busy, at = 0.0, first
        for start, end in spans:
            if end > at:
                busy += end - max(start, at)
                at = end
        share = busy / (spans[-1][1] - first)
        table = seen.key_averages().table(sort_by="self_device_time_total", row_limit=16, max_name_column_width=60)
        return Row("busy", batch, {"busy_share": share}, share), table

    def tree_and_flat(
        self, name: str, batch: int, prompts: Callable[[], None], rounds: int = 3, steps: int = 24
    ) -> Row:
        """Decode steps of the same sequences with tree attention and flat, in turns; the ratio is flat over tree."""
        ways = {"tree": self.loop.device, "flat": self._flat()}
        taken: dict[str, list[float]] = {way: [] for way in ways}
        prompts()
        self.drive.until_decoding()
        for _ in range(rounds):
            for way, device in ways.items():
                self.loop.use(device)
                for _ in range(SETTLE):
                    self.loop.step()
                taken[way].append(self.drive.stretch(steps))
        self.loop.use(ways["tree"])
        self.drive.drain()
        self.loop.flush()
        tree, flat = (statistics.median(times) / steps for times in taken.values())
        return Row(f"tree-flat:{name}", batch, {"tree_step_seconds": tree, "flat_step_seconds": flat}, flat / tree)

    def unshared_prompts(self, batch: int, context: int = 800, new: int = 256) -> Callable[[], None]:
        def submit() -> None:
            for _ in range(batch):
                self.drive.submit([], context, new, UNSHARED)

        return submit

    def shared_prompts(self, batch: int, prefix: int, heads: int = 1) -> Callable[[], None]:
        """`batch` sequences on each of `heads` prefixes."""

        def submit() -> None:
            prefixes = [self.drive.random(prefix) for _ in range(heads)]
            for head in prefixes:
                self.drive.warm(head)
            for head in prefixes * batch:
                self.drive.submit(head, OWN, NEW)

        return submit

    def _flat(self) -> CudaRunner:
        """The same model and storage with attention that shares nothing."""
        if self.flat is not None:
            return self.flat
        from radixa.attention.triton.backend import TritonAttention
        from radixa.engine.cuda.runner import CudaRunner
        from radixa.models.decoder import LlamaDecoder

        runner = self.loop.runner
        decoder = cast("LlamaDecoder", runner.decoder)
        attention = TritonAttention(cast("TritonAttention", decoder.attention).shape, "cuda", "off")
        flat = LlamaDecoder(decoder.config, decoder.weights, decoder.ops, attention)
        cache = self.loop.cache
        self.flat = CudaRunner(flat, runner.storage, attention, cache, step_rows=STEP_ROWS, max_running=MOST)
        return self.flat

    def _decoding(self, workload: str, batch: int, rates: list[float], bytes_read: int) -> Row:
        rate = statistics.median(rates)
        ceiling = batch * self.gpu.copy_bytes / bytes_read
        figures = {"tokens_per_s": rate, "ceiling_tokens_per_s": ceiling, "step_seconds": batch / rate}
        return Row(workload, batch, figures, rate / ceiling)
