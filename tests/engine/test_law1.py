"""Law 1 on the real model, against `transformers`: the benchmark's comparison, smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from benchmarks.equality import Way, answers, differing, prompts, reference, ways

if TYPE_CHECKING:
    from radixa.models.base import ModelFolder

QUICK = 6


@pytest.fixture(scope="module")
def wanted(smollm2: ModelFolder) -> list[list[int]]:
    return reference(smollm2, prompts(smollm2, 50))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("way", list(ways((7, 64, 2048))), ids=lambda way: "-".join(map(str, way)))
def test_fifty_prompts_in_every_way(smollm2: ModelFolder, wanted: list[list[int]], way: Way) -> None:
    assert differing(answers(smollm2, prompts(smollm2, 50), way, "float32"), wanted) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("cache", ["radix", "none"])
def test_token_by_token(smollm2: ModelFolder, wanted: list[list[int]], cache: str) -> None:
    found = answers(smollm2, prompts(smollm2, 24), Way(cache, 1, batched=True), "float32")
    assert differing(found, wanted[:24]) == []


def test_on_off_and_force_miss_agree(smollm2: ModelFolder) -> None:
    """The quick form: no reference, but the paths that reuse could break."""
    keys = prompts(smollm2, QUICK)
    alone = answers(smollm2, keys, Way("none", 2048, batched=False), "float32")
    for way in (Way("radix", 64, True), Way("force_miss", 64, True), Way("radix", 7, True, "on")):
        assert differing(answers(smollm2, keys, way, "float32"), alone) == []
