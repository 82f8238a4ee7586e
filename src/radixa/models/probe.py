"""Which dtype is faster on this machine: measured, because CPU flags do not tell.

Some CPUs list bfloat16 instructions and still multiply bfloat16 matrices slower than float32. The measurement takes a
fraction of a second in a process of its own, so that whoever asks needs no torch, and is kept in the cache folder.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from radixa.core.errors import ModelError
from radixa.core.paths import paths

DTYPES = ("float32", "bfloat16")
_PREFILL, _DECODE = (256, 1024, 1024), (4, 1024, 1024)
"""Rows, inputs and outputs of the two products that stand for prompts and for decoding."""


def choose_dtype(threads: int) -> str:
    """`float32` or `bfloat16`: whichever does a step's matrix products faster with that many threads.

    Decoding and prefill count the same: the rates are compared by the product of the two speed-ups. The result is kept
    by CPU, torch version and threads.
    """
    file = paths().cache / "dtype.json"
    key = f"{cpu_name()} | torch {importlib.metadata.version('torch')} | {threads} threads"
    known = _read(file)
    if known.get(key) not in DTYPES:
        known[key] = _measure_apart(threads)
        _write(file, known)
    return str(known[key])


def cpu_name() -> str:
    """The CPU as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def matmul_rate(dtype_name: str, size: int = 2048) -> float:
    """FLOP/s of a square matrix product in this process: the ceiling that benchmarks hold speeds against.

    The best of several runs with the threads torch has now; a disturbed run can only be slower.
    """
    import torch

    dtype = getattr(torch, dtype_name)
    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
    return 2 * size**3 / _best(lambda: torch.mm(left, right), seconds=0.5)


def measure(threads: int) -> dict[str, Any]:
    """Seconds of the two products in both dtypes, with the layout that the decoder uses."""
    import torch

    from radixa.models.linear import make_linear

    torch.set_num_threads(threads)
    found: dict[str, Any] = {}
    with torch.inference_mode():
        for name in DTYPES:
            dtype = getattr(torch, name)
            times = []
            for rows, inputs, outputs in (_PREFILL, _DECODE):
                product = make_linear(torch.randn(outputs, inputs).to(dtype), None, packed=True)
                x = torch.randn(rows, inputs).to(dtype)
                times.append(_best(lambda product=product, x=x: product(x), seconds=0.05))  # type: ignore[misc]
            found[name] = times
    return found


def faster(times: dict[str, list[float]]) -> str:
    """The dtype whose times have the smaller product; float32, which is exact, where they are equal."""
    wide, narrow = ((times[name][0] * times[name][1]) for name in DTYPES)
    return "bfloat16" if narrow < wide else "float32"


def _best(work: Callable[[], object], seconds: float) -> float:
    """The shortest of the runs of `work` that fit into `seconds`, at least three, after one to warm up."""
    work()
    best, end, runs = float("inf"), time.perf_counter() + seconds, 0
    while runs < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best, runs = min(best, time.perf_counter() - start), runs + 1
    return best


def _measure_apart(threads: int) -> str:
    command = [sys.executable, "-m", "radixa.models.probe", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ModelError(f"cannot measure which dtype is faster ({said}); set [engine] dtype to float32 or bfloat16")
    return faster(json.loads(done.stdout.splitlines()[-1]))


def _read(file: Path) -> dict[str, Any]:
    """What was measured before; nothing where the file is missing or was damaged, since it can be measured again."""
    try:
        known = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(file: Path, known: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, half = tempfile.mkstemp(prefix=".dtype-", dir=file.parent)
    with os.fdopen(handle, "w") as out:
        json.dump(known, out, indent=1)
    os.replace(half, file)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
