"""Tiers that close when the test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kv.tiers.support import Bench


@pytest.fixture
def open_tier(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes benches, in one folder unless another is given."""
    made: list[Bench] = []

    def make(folder: Path = tmp_path / "kv", **given: object) -> Bench:
        bench = Bench(folder, **given)  # type: ignore[arg-type]
        made.append(bench)
        bench.settle()
        return bench

    yield make
    for bench in made:
        bench.tier.close()


@pytest.fixture
def bench(open_tier: Callable[..., Bench]) -> Bench:
    return open_tier()
