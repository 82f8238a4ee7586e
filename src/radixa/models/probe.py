"""What is fastest on this machine: measured, because CPU flags do not tell.

Some CPUs list bfloat16 instructions and still multiply bfloat16 matrices slower than float32; some have matrix units
that only one library uses. The measurement takes seconds, in a process of its own, so that whoever asks needs no torch,
and is kept in the cache folder. It uses one thread and counts that thread's time on the CPU, so that it comes out the
same while the machine is busy, as at the first start it often is.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from radixa.core.errors import ModelError
from radixa.core.lifeline import command, lifeline
from radixa.core.machine import cpu_name
from radixa.core.paths import make_folder, paths
from radixa.kernels.library import library_path

if TYPE_CHECKING:
    from torch import Tensor

    from radixa.models.linear import Linear

DTYPES = ("float32", "bfloat16")

Times = dict[str, dict[str, list[float]]]
"""Seconds by dtype and kind of product (`linear.KINDS`): of a prompt's product, and of decoding's."""

_OUTPUTS, _INPUTS = 2048, 1024
_PREFILL_ROWS, _DECODE_ROWS = 256, 4
_ROUNDS = 4
_OURS = 0.9**2
"""On both times, so on their product."""
_DECODE_BYTES = 64 << 20
"""Weights that decoding goes through before it comes back to the first: more than caches hold, as in a real model."""


def choose_dtype() -> str:
    """`float32` or `bfloat16`: whichever does a step's matrix products faster.

    Prefill and decoding count the same: what is compared is the product of both times. They are kept by CPU, torch
    version and whether the compiled operations are built.
    """
    times = _measured()
    return min(DTYPES, key=lambda dtype: min(_score(kind) for kind in times[dtype].values()))


def choose_product(dtype: str) -> str:
    """The kind of matrix product (`linear.KINDS`) that is fastest in `dtype`.

    Ours is taken unless another is a tenth faster: its results do not depend on what else is in a batch, and it keeps
    nothing per batch size.
    """
    times = _measured()[dtype]
    return min(times, key=lambda kind: _score(times[kind]) * (_OURS if kind == "native" else 1.0))


def matmul_rate(dtype_name: str, size: int = 2048) -> float:
    """FLOP/s of a square matrix product in this process: the ceiling that benchmarks hold speeds against.

    The best of several runs with the threads torch has now; a disturbed run can only be slower.
    """
    import torch

    dtype = getattr(torch, dtype_name)
    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
    return 2 * size**3 / _best(lambda: torch.mm(left, right), seconds=0.5)


def measure() -> Times:
    """Time every kind of product in both dtypes, in this process, on one thread."""
    import torch

    from radixa.models.linear import kinds_for, make_linear

    torch.set_num_threads(1)
    work: dict[tuple[str, str], tuple[Callable[[], object], Callable[[], object]]] = {}
    for name in DTYPES:
        weight = torch.randn(_OUTPUTS, _INPUTS).to(getattr(torch, name))
        prompt = torch.randn(_PREFILL_ROWS, _INPUTS).to(weight.dtype)
        decode = prompt[:_DECODE_ROWS].clone()
        copies = _DECODE_BYTES // (weight.numel() * weight.element_size())
        for kind in kinds_for(weight.dtype):
            products = [make_linear(weight.clone(), None, kind) for _ in range(copies)]
            work[name, kind] = partial(products[0], prompt), partial(_one_after_the_other, products, decode)
    times: Times = {name: {} for name in DTYPES}
    with torch.inference_mode():
        # In turns, so that whatever else runs on the machine for a moment does not slow one of them alone.
        for _ in range(_ROUNDS):
            for (name, kind), calls in work.items():
                now = [_best(call, 0.02, time.thread_time) for call in calls]
                times[name][kind] = [min(pair) for pair in zip(now, times[name].get(kind, now), strict=True)]
    return times


def _one_after_the_other(products: Sequence[Linear], x: Tensor) -> None:
    for product in products:
        product(x)


def _score(times: list[float]) -> float:
    prefill, decode = times
    return prefill * decode


def _best(work: Callable[[], object], seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """The shortest of the runs of `work` that fit into `seconds`, at least three, after one to warm up."""
    work()
    best, end, runs = float("inf"), clock() + seconds, 0
    while runs < 3 or clock() < end:
        start = clock()
        work()
        best, runs = min(best, clock() - start), runs + 1
    return best


def _measured() -> Times:
    """The times of this machine, from the cache folder or measured now."""
    file = paths().cache / "probe.json"
    built = "compiled" if library_path() is not None else "not compiled"
    key = f"{cpu_name()} | torch {importlib.metadata.version('torch')} | {built}"
    known = _read(file)
    if key not in known:
        known[key] = _measure_apart()
        _write(file, known)
    return known[key]


def _measure_apart() -> Times:
    with lifeline() as stdin:
        done = subprocess.run(command("radixa.models.probe"), stdin=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ModelError(f"cannot measure what is fastest on this machine ({said})")
    times: Times = json.loads(done.stdout.splitlines()[-1])
    return times


def _read(file: Path) -> dict[str, Times]:
    """What was measured before; nothing where the file is missing or damaged, since it can be measured again."""
    try:
        known = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(file: Path, known: dict[str, Times]) -> None:
    make_folder(file.parent)
    handle, half = tempfile.mkstemp(prefix=".probe-", dir=file.parent)
    with os.fdopen(handle, "w") as out:
        json.dump(known, out, indent=1)
    os.replace(half, file)


if __name__ == "__main__":
    print(json.dumps(measure()))
