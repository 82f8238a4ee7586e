"""`radixa bench`: what prefix reuse is worth, and how fast the engine is."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from radixa.cli.common import ApiKey, Json, Url, console, print_json, printable, progress_bars
from radixa.cli.folders import check_folder

if TYPE_CHECKING:
    from radixa.bench.base import Report

ALL = "all"
ENGINE_WORKLOADS = ("decode", "prefill", "ttft", "mixed", "shared-prefix")
SIZED_WORKLOADS = ("prefill", "ttft", "shared-prefix")
GPU_WORKLOADS = (*ENGINE_WORKLOADS, "prefill-cached", "prefixes")
GPU_SIZED_WORKLOADS = ("decode", *SIZED_WORKLOADS, "prefill-cached", "prefixes")

app = typer.Typer(no_args_is_help=True)

Also = Annotated[list[str] | None, typer.Argument(metavar="[SCENARIO]", help="Further scenarios.")]
Model = Annotated[str | None, typer.Option("--model", help="Default: smollm2, or with --url the server's first model.")]
Concurrency = Annotated[int, typer.Option("--concurrency", min=1, help="Requests at a time.")]
Seed = Annotated[int, typer.Option("--seed", help="Another seed gives other texts.")]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report there too, as one page.", dir_okay=False)
]
Reduced = Annotated[bool, typer.Option("--reduced", help="The smaller size that `radixa demo` uses.")]


class Device(StrEnum):
    cpu = "cpu"
    cuda = "cuda"
    auto = "auto"


class DType(StrEnum):
    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


@app.callback()
def group() -> None:
    """Measure scenarios against a run of the same requests that reuses nothing, or the engine alone.

    Example: radixa bench chatbot --json
    """


def _scenario_command(name: str, summary: str) -> None:
    def command(
        also: Also = None,
        model: Model = None,
        concurrency: Concurrency = 4,
        seed: Seed = 0,
        reduced: Reduced = False,
        as_json: Json = False,
        html: Html = None,
        url: Url = None,
        api_key: ApiKey = None,
    ) -> None:
        if html is not None:
            check_folder(html.parent, "--html")
        reports = measure([name, *(also or [])], model, concurrency, seed, reduced, url, api_key)
        if html is not None:
            from radixa.bench.page import page

            html.write_text(page(reports), "utf-8")
        if as_json:
            found = [report.as_json() for report in reports]
            print_json(found[0] if len(found) == 1 else found)
        else:
            from dataclasses import replace

            from radixa.bench.tables import scenario_table

            for report in reports:
                console().print(scenario_table(replace(report, model=printable(report.model))))

    app.command(name, help=f"{summary}\n\nExample: radixa bench {name} --json", short_help=summary)(command)


_scenario_command("chatbot", "A support chatbot: one long system prompt, conversations interleaved.")
_scenario_command("rag", "Questions over documents: several on the same passages.")
_scenario_command("agent", "A multi-step agent: tools in the prompt, an observation a step, branches.")
_scenario_command("fewshot", "Few-shot questions: 1,000 tokens of solved examples before each.")
_scenario_command("tree-of-thought", "Tree of thought: plans, solutions and reviews, forked at each level.")
_scenario_command("shared-prefix", "Generated shared prefix: groups of prompts, a long system prompt for each.")
_scenario_command("sharegpt-like", "Chat of ShareGPT's lengths: nothing shared but a conversation's own history.")
_scenario_command(ALL, "The cost scenarios that `radixa demo` shows: chatbot, rag and agent.")


def measure(
    names: list[str],
    model: str | None,
    concurrency: int,
    seed: int,
    reduced: bool,
    url: str | None,
    api_key: str | None,
) -> list[Report]:
    """Run the scenarios of these names three ways, on the server at `url` or on servers started for it."""
    from radixa.bench.measure import DEFAULT_MODEL, measure_own, measure_url, plan

    with progress_bars() as progress:
        what = plan(
            chosen(names),
            size="reduced" if reduced else "full",
            sized_by=DEFAULT_MODEL if url or not model else model,
            seed=seed,
            concurrency=concurrency,
            progress=progress,
        )
        return measure_url(what, url, api_key, model) if url else measure_own(what, model or DEFAULT_MODEL)


def chosen(names: list[str]) -> list[str]:
    """The scenarios meant by what was typed, each once; a wrong name is wrong use (exit code 2)."""
    from radixa.bench.scenarios import SCENARIOS, WORKLOADS

    unknown = next((name for name in names if name not in SCENARIOS and name != ALL), None)
    if unknown is not None:
        raise typer.BadParameter(f"no scenario {unknown!r}; there are {', '.join(SCENARIOS)} and {ALL}")
    meant = [one for name in names for one in (WORKLOADS if name == ALL else [name])]
    return list(dict.fromkeys(meant))


def _checked(workload: str, *, gpu: bool) -> str:
    """A workload of the engine, whose length is a number where it takes one; else wrong use (exit code 2)."""
    known, sized = (GPU_WORKLOADS, GPU_SIZED_WORKLOADS) if gpu else (ENGINE_WORKLOADS, SIZED_WORKLOADS)
    name, colon, length = workload.partition(":")
    if name in known and (not colon or (length.isdecimal() and name in sized)):
        return workload
    raise typer.BadParameter(
        f"no workload {workload!r}; there are {', '.join(known)}, and {', '.join(sized)} take a number of tokens, "
        "as in prefill:512",
        param_hint="--workload",
    )


@app.command("engine")
def engine(
    workload: Annotated[
        list[str] | None,
        typer.Option(
            "--workload",
            help="decode, prefill[:N], ttft[:N], mixed, shared-prefix[:N]; may be repeated. On a GPU also decode:N, "
            "prefill-cached[:N], prefixes[:N].",
        ),
    ] = None,
    batch: Annotated[list[int] | None, typer.Option("--batch", min=1, help="Sequences; may be repeated.")] = None,
    model: Annotated[str, typer.Option("--model", help="A model, or random:SHAPE for random weights.")] = "smollm2",
    device: Annotated[Device, typer.Option("--device", help="Where to compute.")] = Device.cpu,
    dtype: Annotated[DType, typer.Option("--dtype", help="auto takes what is faster here.")] = DType.auto,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Measurements behind each median.")] = 5,
    as_json: Json = False,
) -> None:
    """The engine alone, against a bare loop over the same forward pass and against measured matrix products.

    Example: radixa bench engine --workload decode --batch 1 --batch 8 --batch 32
    """
    workloads = [_checked(name, gpu=device is not Device.cpu) for name in workload or ["decode"]]

    from radixa.bench.engine import bench_engine
    from radixa.bench.engine_gpu import bench_gpu
    from radixa.bench.engine_table import engine_table, gpu_table
    from radixa.engine.base import EngineSettings
    from radixa.engine.load import by_device
    from radixa.models.prepare import prepare

    with progress_bars() as progress:
        path = model if model.startswith("random:") else str(prepare(model, progress=progress).path)
        settings = by_device(EngineSettings(model=path, device=device.value, dtype=dtype.value))
        if settings.device == "cuda":
            on_gpu = bench_gpu(settings, workloads, batch or (1, 32, 128), repeats, progress)
            found, table = on_gpu.as_json(), gpu_table(on_gpu)
        else:
            for name in workloads:
                _checked(name, gpu=False)
            report = bench_engine(settings, workloads, batch or (1, 8, 32), repeats, progress)
            found, table = report.as_json(), engine_table(report)
    if as_json:
        print_json(found)
    else:
        console().print(table)
