"""A GGUF file: its metadata, and its tensors as float32 arrays, whatever they were quantised to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from radixa.core.errors import ModelError

if TYPE_CHECKING:
    import gguf
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float32]

ARCHITECTURES = ("llama", "qwen2", "qwen3")
"""`general.architecture` values that are a Llama-family decoder. Mistral models are converted as `llama`."""


class GGUFFile:
    """One opened file. It is mapped, not read: a tensor costs memory while it is being dequantised."""

    def __init__(self, path: Path) -> None:
        """ModelError where the file is missing, not GGUF, of another architecture, or one part of several."""
        import gguf

        self.path = path
        try:
            self._reader = gguf.GGUFReader(path)
        except FileNotFoundError as error:
            raise ModelError(f"no such file: {path}") from error
        except (ValueError, OSError, IndexError) as error:
            raise ModelError(
                f"{path} is not a readable GGUF file ({error}); it may be cut off: fetch it again"
            ) from error
        self.architecture = str(self.get("general.architecture", ""))
        if self.architecture not in ARCHITECTURES:
            known = ", ".join(ARCHITECTURES)
            raise ModelError(f"{path}: the architecture is {self.architecture or 'not named'}; supported are {known}")
        if int(self.get("split.count", 1) or 1) > 1:
            raise ModelError(f"{path} is one part of a split model; join the parts with llama.cpp's gguf-split --merge")
        self.tensors: dict[str, gguf.ReaderTensor] = {tensor.name: tensor for tensor in self._reader.tensors}

    def get(self, key: str, default: Any = None) -> Any:
        """A value of the metadata as a Python value."""
        field = self._reader.get_field(key)
        return default if field is None else field.contents()

    def arch(self, key: str, default: Any = None) -> Any:
        """A value under the architecture's own prefix, such as `llama.block_count`."""
        return self.get(f"{self.architecture}.{key}", default)

    def need(self, key: str) -> Any:
        value = self.arch(key)
        if value is None:
            raise ModelError(f"{self.path} has no {self.architecture}.{key}: the file is incomplete")
        return value

    def shape(self, name: str) -> tuple[int, ...]:
        """The tensor's row-major shape, as PyTorch has it."""
        found = self.tensors.get(name)
        if found is None:
            raise ModelError(f"{self.path} has no tensor {name}: the file is incomplete")
        return tuple(int(size) for size in reversed(found.shape))

    def tensor(self, name: str, rows: slice = slice(None)) -> FloatArray:
        """The tensor or some rows of it, dequantised."""
        import gguf
        import numpy as np

        shape = self.shape(name)
        found = self.tensors[name]
        try:
            values = gguf.dequantize(found.data[rows], found.tensor_type)
        except NotImplementedError as error:
            kind = gguf.GGMLQuantizationType(found.tensor_type).name
            raise ModelError(
                f"{self.path}: tensor {name} is of type {kind}, which cannot be dequantised here"
            ) from error
        return np.ascontiguousarray(values, dtype=np.float32).reshape(-1, *shape[1:])
