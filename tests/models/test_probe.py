"""Choosing a dtype by measurement. Nothing here asserts a time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from radixa.core.errors import ModelError
from radixa.core.machine import cpu_name
from radixa.core.paths import paths
from radixa.models import probe
from radixa.models.linear import KINDS

PLAIN: probe.Times = {"float32": {"torch": [1.0, 1.0]}, "bfloat16": {"torch": [0.5, 0.9]}}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RADIXA_HOME", str(tmp_path))
    return tmp_path / "cache" / "probe.json"


def test_measures_once_per_machine_and_build(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Path | None] = []

    def measure() -> probe.Times:
        measured.append(probe.library_path())
        return PLAIN

    monkeypatch.setattr(probe, "_measure_apart", measure)
    for built in (Path("there"), None, Path("there"), None):
        monkeypatch.setattr(probe, "library_path", lambda built=built: built)
        assert probe.choose_dtype() == "bfloat16"
        assert probe.choose_product("float32") == "torch"
    assert measured == [Path("there"), None]
    assert all(cpu_name() in key and "torch" in key for key in json.loads(cache.read_text()))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 1}'])
def test_a_damaged_record_is_measured_again(content: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.mkdir()
    cache.write_text(content)
    monkeypatch.setattr(probe, "_measure_apart", lambda: PLAIN)
    assert probe.choose_dtype() == "bfloat16"
    monkeypatch.setattr(probe, "_measure_apart", lambda: pytest.fail("measured twice"))
    assert probe.choose_dtype() == "bfloat16"


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
    monkeypatch.setattr(probe, "_measure_apart", lambda: times)
    assert probe.choose_dtype() == choice
    assert (probe.choose_product("float32"), probe.choose_product("bfloat16")) == ("torch", "native")


@pytest.mark.parametrize(
    ("other", "choice"), [([0.95, 0.95], "native"), ([0.8, 0.95], "onednn"), ([1.0, 0.7], "onednn")]
)
def test_ours_is_taken_unless_another_is_a_tenth_faster(
    other: list[float], choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = {"float32": {"torch": [2.0, 2.0], "native": [1.0, 1.0], "onednn": other}}
    monkeypatch.setattr(probe, "_measure_apart", lambda: times)
    assert probe.choose_product("float32") == choice


def test_a_measurement_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ModelError, match=r"cannot measure what is fastest on this machine \(no output\)"):
        probe.choose_dtype()


def test_a_rate_is_a_number_of_operations() -> None:
    assert probe.matmul_rate("float32", size=64) > 1e6


def test_the_real_measurement_imports_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "random.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    assert probe.choose_dtype() in probe.DTYPES
    assert probe.choose_product("float32") in KINDS
    (times,) = json.loads((paths().cache / "probe.json").read_text("utf-8")).values()
    assert set(times) == set(probe.DTYPES)
    assert not (tmp_path / "ran").exists()


def test_a_measurement_ends_with_whoever_began_it() -> None:
    # Again and again, so that there is one whenever it is looked for.
    code = "from radixa.models import probe\nwhile True: probe._measure_apart()"
    parent = subprocess.Popen([sys.executable, "-c", code])
    child = 0
    while not child:
        assert parent.poll() is None
        listed = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent.pid)], capture_output=True, text=True, check=False
        )
        child = next((int(line.split()[0]) for line in listed.stdout.splitlines() if "radixa.models.probe" in line), 0)
    parent.kill()
    parent.wait()
    until = time.monotonic() + 1
    while Path(f"/proc/{child}").exists() and " Z " not in Path(f"/proc/{child}/stat").read_text():
        assert time.monotonic() < until
        time.sleep(0.01)
