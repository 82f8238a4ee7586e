"""Converting once: what is kept, what is never used half-written, and two processes at the same time."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from radixa.core.errors import ModelError
from radixa.core.paths import paths
from radixa.models import safetensors_file
from radixa.models.convert import convert, ensure_weights, fingerprint
from radixa.models.load import open_folder
from radixa.models.prepare import prepare
from tests.models.gguf_files import random_weights, write_gguf


@pytest.fixture
def gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RADIXA_HOME", str(tmp_path / "home"))
    write_gguf(tmp_path / "small.gguf", random_weights(), kind="Q8_0")
    return tmp_path / "small.gguf"


def test_the_second_time_reads_nothing_of_the_gguf(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(str(gguf), dtype="bfloat16")

    def never(*_: object) -> None:
        raise AssertionError("the GGUF was opened again")

    monkeypatch.setattr("radixa.models.gguf_file.GGUFFile.__init__", never)
    assert prepare(str(gguf), dtype="bfloat16") == first
    assert first.name == "small"


def test_progress_goes_from_nothing_to_all(gguf: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    prepare(str(gguf), dtype="float32", progress=lambda *call: seen.append(call))
    assert {what for what, _, _ in seen} == {"reading small.gguf", "converting small.gguf to float32"}
    for what in {what for what, _, _ in seen}:
        done = [done for said, done, _ in seen if said == what]
        assert done == sorted(done)
        assert done[0] == 0
        assert done[-1] == next(total for said, _, total in seen if said == what)


def test_an_interrupted_conversion_leaves_nothing(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = convert(gguf, "small")
    before = sorted(folder.iterdir())
    monkeypatch.setattr(safetensors_file, "to_bfloat16", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        ensure_weights(folder, "bfloat16")
    assert sorted(folder.iterdir()) == before
    monkeypatch.undo()
    monkeypatch.setenv("RADIXA_HOME", str(gguf.parent / "home"))
    ensure_weights(folder, "bfloat16")
    assert (folder / "model.bfloat16.safetensors").is_file()


def test_an_interrupted_folder_is_never_used(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radixa.models.convert._move", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        convert(gguf, "small")
    assert list((paths().cache / "models").iterdir()) == []


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_changed_file_is_converted_anew(gguf: Path) -> None:
    first = convert(gguf, "small")
    data = bytearray(gguf.read_bytes())
    data[-1] ^= 1
    gguf.write_bytes(data)
    assert convert(gguf, "small") != first


def test_fingerprints_look_at_size_and_content(tmp_path: Path) -> None:
    def of(data: bytes) -> str:
        (tmp_path / "f").write_bytes(data)
        return fingerprint(tmp_path / "f")

    big = os.urandom(30 << 20)
    first, last = bytes([big[0] ^ 1]), bytes([big[-1] ^ 1])
    found = [of(b""), of(b"a"), of(b"b"), of(b"aa"), of(big), of(big[:-1]), of(first + big[1:]), of(big[:-1] + last)]
    assert len(set(found)) == len(found)
    assert of(big) == found[4]


def test_a_gguf_that_is_gone_says_so(gguf: Path) -> None:
    folder = convert(gguf, "small")
    ensure_weights(folder, "float32")
    gguf.unlink()
    ensure_weights(folder, "float32")
    with pytest.raises(ModelError, match=r"the bfloat16 weights are not converted yet, and .*small\.gguf is gone"):
        ensure_weights(folder, "bfloat16")


def test_a_full_disk_is_seen_before(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = convert(gguf, "small")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(ModelError, match=r"converting small\.gguf to float32 takes \d+ MiB, more than is free"):
        ensure_weights(folder, "float32")


def test_processes_converting_at_once_agree(gguf: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        folders = pool.starmap(_prepare, [(str(gguf), str(paths().cache.parent))] * 3)
    assert len(set(folders)) == 1
    names = sorted(path.name for path in Path(folders[0]).iterdir())
    assert names == [
        "chat_template.jinja",
        "config.json",
        "model.float32.safetensors",
        "radixa.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert [path.name for path in (paths().cache / "models").iterdir()] == [Path(folders[0]).name]


def _prepare(name: str, home: str) -> str:
    os.environ["RADIXA_HOME"] = home
    return str(prepare(name, dtype="float32").path)


def test_open_folder_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model folder"):
        open_folder(tmp_path / "absent")
    with pytest.raises(ModelError, match=r"has no config\.json"):
        open_folder(tmp_path)
