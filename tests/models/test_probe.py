"""Choosing a dtype by measurement. Nothing here asserts a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radixa.core.errors import ModelError
from radixa.models import probe
from radixa.models.linear import KINDS

PLAIN: probe.Times = {"float32": {"torch": [1.0, 1.0]}, "bfloat16": {"torch": [0.5, 0.9]}}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RADIXA_HOME", str(tmp_path))
    return tmp_path / "cache" / "probe.json"


def test_measures_once_per_machine_and_threads(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def measure(threads: int) -> probe.Times:
        measured.append(threads)
        return PLAIN

    monkeypatch.setattr(probe, "_measure_apart", measure)
    assert [probe.choose_dtype(1), probe.choose_dtype(2), probe.choose_dtype(1)] == ["bfloat16"] * 3
    assert probe.choose_product("float32", 2) == "torch"
    assert measured == [1, 2]
    assert all(probe.cpu_name() in key and "torch" in key for key in json.loads(cache.read_text()))
    monkeypatch.setattr(probe, "library_path", lambda: None)
    probe.choose_dtype(2)
    monkeypatch.setattr(probe, "library_path", lambda: Path("there"))
    probe.choose_dtype(2)
    assert measured[-1] == 2
    assert len(measured) == 3


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 1}'])
def test_a_damaged_record_is_measured_again(content: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.mkdir()
    cache.write_text(content)
    monkeypatch.setattr(probe, "_measure_apart", lambda _: PLAIN)
    assert probe.choose_dtype(2) == "bfloat16"
    monkeypatch.setattr(probe, "_measure_apart", lambda _: pytest.fail("measured twice"))
    assert probe.choose_dtype(2) == "bfloat16"


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
def test_prefill_and_decoding_count_the_same(
    float32: list[float], bfloat16: list[float], choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = {"float32": {"torch": float32, "onednn": [9.0, 9.0]}, "bfloat16": {"torch": [9.0, 9.0], "native": bfloat16}}
    monkeypatch.setattr(probe, "_measure_apart", lambda _: times)
    assert probe.choose_dtype(2) == choice
    assert (probe.choose_product("float32", 2), probe.choose_product("bfloat16", 2)) == ("torch", "native")


def test_the_real_measurement() -> None:
    assert probe.choose_dtype(1) in probe.DTYPES
    assert probe.choose_product("float32", 1) in KINDS


def test_a_measurement_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ModelError, match=r"cannot measure what is fastest on this machine \(no output\)"):
        probe.choose_dtype(1)


def test_a_rate_is_a_number_of_operations() -> None:
    assert probe.matmul_rate("float32", size=64) > 1e6
