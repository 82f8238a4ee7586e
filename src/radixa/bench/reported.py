"""Whether a server reports cached tokens at all, or only where there are some."""

from __future__ import annotations

from dataclasses import replace

from radixa.bench.base import Run


def completed(on: Run, off: Run) -> tuple[Run, Run]:
    """Both runs with the zeros that a server leaves out: one that reports hits had none where it says nothing.

    As they are where nothing is reported in either, since nobody knows then.
    """
    if all(m.cached_tokens is None for run in (on, off) for m in run.measurements):
        return on, off
    return _with_zeros(on), _with_zeros(off)


def _with_zeros(run: Run) -> Run:
    return replace(run, measurements=tuple(replace(m, cached_tokens=m.cached_tokens or 0) for m in run.measurements))
