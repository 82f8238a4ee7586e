"""A prepared model's weights, read from its safetensors files and put into the form the decoder computes with."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from radixa.core.errors import ModelError
from radixa.kernels.product import PackedProduct
from radixa.models.base import ModelConfig
from radixa.models.linear import Linear, make_linear

if TYPE_CHECKING:
    from torch import Tensor

    Reader = Callable[[str], Tensor]
    """A weight by its Hugging Face name."""


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer: q, k and v in one product, gate and up in one."""

    input_norm: Tensor
    qkv: Linear
    q_norm: Tensor | None
    k_norm: Tensor | None
    output: Linear
    mlp_norm: Tensor
    gate_up: Linear
    down: Linear


@dataclass(frozen=True, slots=True)
class Weights:
    """A whole model.

    `embed` gives the rows of the embedding [N, hidden] for token ids [N] int64; `head` gives logits, float32.
    """

    embed: Callable[[Tensor], Tensor]
    layers: list[LayerWeights]
    norm: Tensor
    head: Linear


def build_weights(config: ModelConfig, read: Reader, kind: str) -> Weights:
    """Fuse and pack for products of that kind (`linear.KINDS`), one weight after the other: only one is held twice."""

    def linear(*names: str, bias: bool) -> Linear:
        weight = _joined([read(f"{name}.weight") for name in names])
        return make_linear(weight, _joined([read(f"{name}.bias") for name in names]) if bias else None, kind)

    def layer(prefix: str) -> LayerWeights:
        attention, mlp = f"{prefix}.self_attn", f"{prefix}.mlp"
        projections = [f"{attention}.{name}_proj" for name in "qkv"]
        return LayerWeights(
            input_norm=_owned(read(f"{prefix}.input_layernorm.weight")),
            qkv=linear(*projections, bias=config.qkv_bias),
            q_norm=_owned(read(f"{attention}.q_norm.weight")) if config.qk_norm else None,
            k_norm=_owned(read(f"{attention}.k_norm.weight")) if config.qk_norm else None,
            output=linear(f"{attention}.o_proj", bias=config.output_bias),
            mlp_norm=_owned(read(f"{prefix}.post_attention_layernorm.weight")),
            gate_up=linear(f"{mlp}.gate_proj", f"{mlp}.up_proj", bias=config.mlp_bias),
            down=linear(f"{mlp}.down_proj", bias=config.mlp_bias),
        )

    embed, head = _ends(config, read, kind)
    return Weights(
        embed=embed,
        layers=[layer(f"model.layers.{i}") for i in range(config.layers)],
        norm=_owned(read("model.norm.weight")),
        head=head,
    )


def _ends(config: ModelConfig, read: Reader, kind: str) -> tuple[Callable[[Tensor], Tensor], Linear]:
    """The embedding and the head. Tied, they are the same numbers, and kept once where the layout lets rows be read."""
    embedding = _owned(read("model.embed_tokens.weight"))
    if embedding.shape != (config.vocab_size, config.hidden_size):
        expected = (config.vocab_size, config.hidden_size)
        raise ModelError(f"model.embed_tokens.weight has shape {tuple(embedding.shape)}; config.json says {expected}")
    head = make_linear(embedding if config.tied_head else _owned(read("lm_head.weight")), None, kind, wide=True)
    if config.tied_head and isinstance(head, PackedProduct):
        return head.rows, head
    return partial(embedding.index_select, 0), head


def _joined(parts: list[Tensor]) -> Tensor:
    """The parts below each other, in memory of their own."""
    return torch.cat(parts) if len(parts) > 1 else _owned(parts[0])


def _owned(tensor: Tensor) -> Tensor:
    """A copy, so that nothing holds on to the mapped file."""
    return tensor.clone()


def give_back_freed_memory() -> None:
    """Return to the system what the C library keeps of freed memory: tens of megabytes after fusing and packing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@contextmanager
def open_weights(files: list[Path], dtype: torch.dtype) -> Iterator[Reader]:
    """A reader over safetensors files. Tensors are views of the mapped files unless their dtype has to change."""
    from safetensors import SafetensorError, safe_open

    with ExitStack() as stack:
        where: dict[str, Any] = {}
        for file in files:
            try:
                opened = stack.enter_context(safe_open(file, framework="pt"))
            except (SafetensorError, OSError) as error:
                raise ModelError(f"cannot read the weights in {file}: {error}") from error
            where.update(dict.fromkeys(opened.keys(), opened))

        def read(name: str) -> Tensor:
            if name not in where:
                raise ModelError(f"{files[0].parent}: no tensor {name} in {', '.join(file.name for file in files)}")
            tensor: Tensor = where[name].get_tensor(name)
            return tensor.to(dtype)

        yield read


def weight_files(folder: Path, dtype: str) -> list[Path]:
    """The safetensors files of a model: those converted to `dtype`, one file, or the shards of an index."""
    for name in (f"model.{dtype}.safetensors", "model.safetensors"):
        if (folder / name).is_file():
            return [folder / name]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        # A shard's name is a name in this folder, whatever the index says.
        return [folder / Path(shard).name for shard in shards]
    found = ", ".join(sorted(file.name for file in folder.glob("*.bin"))) or "none"
    raise ModelError(
        f"{folder} has no safetensors weights (other weight files: {found}); save the model as safetensors"
    )
