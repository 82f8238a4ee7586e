"""Writes a safetensors file piece by piece, so that a model is converted without being held in memory.

The format: eight bytes of header length, a JSON header with each tensor's dtype, shape and place, then the bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_CODES = {"float32": ("F32", 4), "bfloat16": ("BF16", 2)}
_ALIGN = 64


def write_tensors(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    tensors: Iterable[Iterable[npt.NDArray[np.float32]]],
    dtype: str,
) -> None:
    """Write `tensors` to `path` as `dtype`, `float32` or `bfloat16`.

    They come as float32, in the order of `shapes`, each in pieces of some of its rows.
    """
    code, size = _CODES[dtype]
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        end = offset + size * math.prod(shape)
        header[name] = {"dtype": code, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % _ALIGN)
    with path.open("wb") as out:
        out.write(len(text).to_bytes(8, "little"))
        out.write(text)
        for (name, shape), pieces in zip(shapes.items(), tensors, strict=True):
            written = 0
            for piece in pieces:
                out.write((piece if dtype == "float32" else to_bfloat16(piece)).tobytes())
                written += piece.size
            if written != math.prod(shape):
                raise ValueError(f"{name} has {written} elements, announced was {shape}")


def to_bfloat16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """The upper halves of float32 values, rounded to nearest even, as bfloat16's bit patterns. NaN stays NaN."""
    import numpy as np

    bits = values.view(np.uint32)
    rounded = ((bits + (np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1)))) >> 16).astype(np.uint16)
    # Adding the rounding term could carry a NaN's mantissa over into infinity or zero.
    return np.where(np.isnan(values), np.uint16(0x7FC0), rounded)
