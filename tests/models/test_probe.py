"""Choosing a dtype by measurement. Nothing here asserts a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radixa.core.errors import ModelError
from radixa.models import probe


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RADIXA_HOME", str(tmp_path))
    return tmp_path / "cache" / "dtype.json"


def test_measures_once_per_machine_and_threads(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def measure(threads: int) -> str:
        measured.append(threads)
        return "bfloat16" if threads == 1 else "float32"

    monkeypatch.setattr(probe, "_measure_apart", measure)
    assert [probe.choose_dtype(1), probe.choose_dtype(2), probe.choose_dtype(1)] == ["bfloat16", "float32", "bfloat16"]
    assert measured == [1, 2]
    assert all(probe.cpu_name() in key and "torch" in key for key in json.loads(cache.read_text()))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 1}'])
def test_a_damaged_record_is_measured_again(content: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.mkdir()
    cache.write_text(content)
    monkeypatch.setattr(probe, "_measure_apart", lambda _: "float32")
    assert probe.choose_dtype(2) == "float32"
    monkeypatch.setattr(probe, "_measure_apart", lambda _: pytest.fail("measured twice"))
    assert probe.choose_dtype(2) == "float32"


@pytest.mark.parametrize(
    ("float32", "bfloat16", "choice"),
    [
        ([1.0, 1.0], [0.5, 0.9], "bfloat16"),
        ([1.0, 1.0], [0.5, 1.5], "bfloat16"),
        ([1.0, 1.0], [0.5, 2.5], "float32"),
        ([1.0, 1.0], [2.0, 0.6], "float32"),
        ([1.0, 1.0], [1.0, 1.0], "float32"),
    ],
)
def test_prefill_and_decode_count_the_same(float32: list[float], bfloat16: list[float], choice: str) -> None:
    assert probe.faster({"float32": float32, "bfloat16": bfloat16}) == choice


def test_the_real_measurement() -> None:
    assert probe.choose_dtype(1) in probe.DTYPES


def test_a_measurement_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ModelError, match=r"set \[engine\] dtype to float32 or bfloat16"):
        probe.choose_dtype(1)


def test_a_rate_is_a_number_of_operations() -> None:
    assert probe.matmul_rate("float32", size=64) > 1e6
