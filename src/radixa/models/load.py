"""From a prepared folder, or the name of a random shape, to something that computes.

Importing this module imports no torch: the gateway opens folders too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from radixa.core.errors import ModelError
from radixa.core.paths import paths
from radixa.core.progress import Progress
from radixa.models.base import ORIGIN, ModelConfig, ModelFolder
from radixa.models.config import read_config

if TYPE_CHECKING:
    from radixa.attention.base import AttentionBackend
    from radixa.kernels.base import Ops
    from radixa.models.decoder import LlamaDecoder


def open_folder(path: Path) -> ModelFolder:
    """A folder that `prepare` returned, or any model folder in Hugging Face layout. Takes milliseconds."""
    if not path.is_dir():
        raise ModelError(f"no such model folder: {path}")
    origin = {}
    if (path / ORIGIN).is_file():
        origin = json.loads((path / ORIGIN).read_text("utf-8"))
    return ModelFolder(name=origin.get("name") or _name(path.resolve()), path=path, config=read_config(path))


def _name(path: Path) -> str:
    """`ORG/NAME` for a folder fetched from the Hub (`fetch.repository_folder`), else the folder's own name."""
    from_hub = path.parent.parent == (paths().models / "hf").resolve()
    return f"{path.parent.name}/{path.name}" if from_hub else path.name


def load_decoder(
    folder: ModelFolder,
    dtype: str,
    ops: Ops,
    attention: AttentionBackend,
    *,
    product: str | None = None,
    progress: Progress | None = None,
    device: str = "cpu",
) -> LlamaDecoder:
    """The model of `folder`, computing in `dtype` (`float32` or `bfloat16`).

    A converted GGUF whose weights do not exist in that dtype yet is dequantised first. `product` is the kind of matrix
    product (`linear.KINDS`), by default the fastest on this machine. With `torch`, float32 logits
    are those of `transformers` to the last bit. On a CUDA `device` it is `torch`'s own.
    """
    import torch

    from radixa.models.convert import ensure_weights
    from radixa.models.decoder import LlamaDecoder
    from radixa.models.probe import choose_product
    from radixa.models.weights import build_weights, give_back_freed_memory, open_weights, weight_files

    ensure_weights(folder.path, dtype, progress)
    with open_weights(weight_files(folder.path, dtype), getattr(torch, dtype)) as read:
        kind = product or (choose_product(dtype) if device == "cpu" else "torch")
        weights = build_weights(folder.config, lambda name: read(name).to(device), kind)
    give_back_freed_memory()
    return LlamaDecoder(folder.config, weights, ops, attention)


def load_random(
    shape_name: str,
    dtype: str,
    ops: Ops,
    attention: AttentionBackend,
    *,
    product: str | None = None,
    device: str = "cpu",
) -> LlamaDecoder:
    """A model of that shape with random weights, the same at every run on a kind of device: for benchmarks."""
    import torch

    from radixa.models.decoder import LlamaDecoder
    from radixa.models.probe import choose_product
    from radixa.models.shapes import random_reader
    from radixa.models.weights import build_weights

    config = random_config(shape_name)
    kind = product or (choose_product(dtype) if device == "cpu" else "torch")
    weights = build_weights(config, random_reader(config, getattr(torch, dtype), device=device), kind)
    return LlamaDecoder(config, weights, ops, attention)


def random_config(shape_name: str) -> ModelConfig:
    """The shape that `random:NAME` stands for. ModelError lists the names."""
    from radixa.models.shapes import random_config as look_up

    return look_up(shape_name)
