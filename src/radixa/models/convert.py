"""A GGUF file to a folder in Hugging Face layout, kept in the cache folder: done once, used at every start.

The folder's name holds a fingerprint of the file and of this module's version, so a changed file is a new folder. It is
written under another name and renamed when whole: what exists under its name is complete, whoever was killed when.
Weights come later, one safetensors file per dtype, in the same way.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radixa.core.errors import ModelError
from radixa.core.paths import make_folder, paths
from radixa.core.progress import Progress
from radixa.models.base import ORIGIN
from radixa.models.scratch import scratch

if TYPE_CHECKING:
    from radixa.models.gguf_file import FloatArray

_VERSION = 1
"""Raised when what a folder holds changes."""
_SAMPLES = 64
_SAMPLE_BYTES = 1 << 16


def convert(gguf: Path, name: str, progress: Progress | None = None) -> Path:
    """The folder made from `gguf`, made now if it does not exist yet. Weights are left to `ensure_weights`."""
    folder = paths().cache / "models" / f"{re.sub(r'[^A-Za-z0-9._-]', '-', name)}-{fingerprint(gguf)}"
    if (folder / ORIGIN).is_file():
        return folder
    from radixa.models.gguf_config import gguf_config
    from radixa.models.gguf_file import GGUFFile
    from radixa.models.gguf_tokenizer import tokenizer_config, tokenizer_json

    _tell(progress, f"reading {gguf.name}", 0, 1)
    file = GGUFFile(gguf)
    texts = {
        "config.json": _json(gguf_config(file)),
        "tokenizer.json": _json(tokenizer_json(file)),
        "tokenizer_config.json": _json(tokenizer_config(file)),
        ORIGIN: _json({"name": name, "gguf": str(gguf.resolve())}),
    }
    template = file.get("tokenizer.chat_template")
    if template:
        texts["chat_template.jinja"] = template
    make_folder(folder.parent)
    with scratch(folder.parent) as made:
        half = made / "folder"
        half.mkdir()
        for file_name, text in texts.items():
            (half / file_name).write_text(text, "utf-8")
        _move(half, folder)
    _tell(progress, f"reading {gguf.name}", 1, 1)
    return folder


def ensure_weights(folder: Path, dtype: str, progress: Progress | None = None) -> None:
    """Make a converted folder's weights in `dtype` if they do not exist; other folders are left alone."""
    target = folder / f"model.{dtype}.safetensors"
    if target.is_file() or not (folder / ORIGIN).is_file():
        return
    from radixa.models.gguf_config import read_weight, weight_names
    from radixa.models.gguf_file import GGUFFile
    from radixa.models.safetensors_file import write_tensors

    gguf = Path(json.loads((folder / ORIGIN).read_text("utf-8"))["gguf"])
    if not gguf.is_file():
        raise ModelError(f"the {dtype} weights are not converted yet, and {gguf} is gone: put it back, or pull again")
    file = GGUFFile(gguf)
    names = weight_names(file)
    shapes = {hf_name: file.shape(gguf_name) for hf_name, gguf_name in names.items()}
    needed = sum(math.prod(shape) for shape in shapes.values()) * (4 if dtype == "float32" else 2)
    if shutil.disk_usage(folder).free < needed:
        raise ModelError(f"converting {gguf.name} to {dtype} takes {needed >> 20} MiB, more than is free in {folder}")

    def tensors() -> Iterator[Iterator[FloatArray]]:
        for done, gguf_name in enumerate(names.values()):
            _tell(progress, f"converting {gguf.name} to {dtype}", done, len(names))
            yield read_weight(file, gguf_name)
        _tell(progress, f"converting {gguf.name} to {dtype}", len(names), len(names))

    with scratch(folder) as made:
        half = made / target.name
        write_tensors(half, shapes, tensors(), dtype)
        half.replace(target)


def fingerprint(path: Path) -> str:
    """Names a file by its size and by samples of its content: milliseconds where a whole hash takes seconds.

    The first and the last bytes, which hold the metadata and the last tensor, are always among the samples.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(f"{_VERSION}:{size}".encode())
    spread = max(0, size - _SAMPLE_BYTES)
    with path.open("rb") as file:
        for i in range(_SAMPLES):
            file.seek(spread * i // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:16]


def _move(half: Path, folder: Path) -> None:
    """Give a finished folder its name. If another process was first, its folder is as good."""
    try:
        half.rename(folder)
    except OSError:
        if not (folder / ORIGIN).is_file():
            raise


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def _tell(progress: Progress | None, what: str, done: int, total: int) -> None:
    if progress is not None:
        progress(what, done, total)
