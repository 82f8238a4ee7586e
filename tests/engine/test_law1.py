"""Law 1 on the real model, against `transformers`: the benchmark's comparison, smaller."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from benchmarks.equality import Way, answers, differing, prompts, reference, ways

from radixa.core.base import SamplingParams
from radixa.engine.base import EngineRequest, EngineSettings
from radixa.engine.client import start_engine

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


def test_on_off_and_force_miss_agree(shallow: ModelFolder) -> None:
    """The quick form: no reference and few layers, but the paths that reuse could break."""
    keys = prompts(shallow, QUICK)
    alone = answers(shallow, keys, Way("none", 2048, batched=False), "float32")
    for way in (Way("radix", 64, True), Way("force_miss", 64, True), Way("radix", 7, True, "on")):
        assert differing(answers(shallow, keys, way, "float32"), alone) == []


async def test_what_comes_back_from_disk_gives_the_same_answers(shallow: ModelFolder, tmp_path: Path) -> None:
    """Exact in fp32; the first engine computes, the second, with nothing in memory, loads."""
    short = prompts(shallow, 50)
    # Longer than a block each, and three of them alike at first.
    keys = [b"".join(short[20:26]) + short[i] for i in range(3)] + [short[37]]
    kept = EngineSettings(
        model=str(shallow.path), dtype="float32", kv_tokens=8192, disk=str(tmp_path / "kv"), secrets=str(tmp_path)
    )
    told: list[list[tuple[int, ...]]] = []
    disk_tokens: list[int] = []
    for settings in (EngineSettings(model=str(shallow.path), dtype="float32", kv_tokens=8192), kept, kept):
        client = await start_engine(settings, in_process=True)
        found = []
        for number, key in enumerate(keys):
            request = EngineRequest(f"r{number}", key, sampling=SamplingParams(max_tokens=12, temperature=0))
            outputs = [output async for output in client.generate(request)]
            found.append(tuple(token for output in outputs for token in output.token_ids))
        told.append(found)
        disk_tokens.append((await client.stats()).disk_tokens)
        await client.close()
    assert told[0] == told[1] == told[2]
    assert disk_tokens[:2] == [0, 0]
    assert disk_tokens[2] > 0
