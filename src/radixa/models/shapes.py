"""Shapes of well-known models, for benchmarks with random weights: `random:NAME`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from radixa.core.errors import ModelError
from radixa.models.base import ModelConfig

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from radixa.models.weights import Reader

SHAPES: dict[str, ModelConfig] = {
    "smollm2-135m": ModelConfig(
        family="llama",
        vocab_size=49152,
        hidden_size=576,
        layers=30,
        heads=9,
        kv_heads=3,
        head_size=64,
        intermediate_size=1536,
        context_length=8192,
        norm_eps=1e-5,
        rope_theta=100000.0,
        tied_head=True,
    ),
    "qwen3-0.6b": ModelConfig(
        family="qwen3",
        vocab_size=151936,
        hidden_size=1024,
        layers=28,
        heads=16,
        kv_heads=8,
        head_size=128,
        intermediate_size=3072,
        context_length=40960,
        norm_eps=1e-6,
        rope_theta=1000000.0,
        tied_head=True,
        qk_norm=True,
    ),
    "llama-3-8b": ModelConfig(
        family="llama",
        vocab_size=128256,
        hidden_size=4096,
        layers=32,
        heads=32,
        kv_heads=8,
        head_size=128,
        intermediate_size=14336,
        # Of Llama 3.1; the first had 8,192. Nothing else of the shape depends on it.
        context_length=131072,
        norm_eps=1e-5,
        rope_theta=500000.0,
    ),
}


def random_config(shape: str) -> ModelConfig:
    """The shape called `shape`, with or without `random:` before it."""
    name = shape.removeprefix("random:")
    if name not in SHAPES:
        known = ", ".join(f"random:{known}" for known in SHAPES)
        raise ModelError(f"no random shape {shape!r}; there are {known}")
    return SHAPES[name]


def random_reader(config: ModelConfig, dtype: torch.dtype, seed: int = 0, device: str = "cpu") -> Reader:
    """Weights by name, each the same at every run: normal with the spread that keeps activations near one.

    They are made on `device`, and are other numbers on another kind of device.
    """
    import torch

    shapes = dict(weight_shapes(config))
    order = {name: i for i, name in enumerate(shapes)}

    def read(name: str) -> Tensor:
        shape = shapes[name]
        if name.endswith("norm.weight"):
            return torch.ones(shape, dtype=dtype, device=device)
        generator = torch.Generator(device).manual_seed(seed + order[name])
        return torch.randn(shape, generator=generator, dtype=dtype, device=device).mul_(shape[-1] ** -0.5)

    return read


def weight_shapes(config: ModelConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every weight of a model of this shape, by its Hugging Face name."""
    hidden, mlp = config.hidden_size, config.intermediate_size
    q, kv = config.heads * config.head_size, config.kv_heads * config.head_size
    yield "model.embed_tokens.weight", (config.vocab_size, hidden)
    for i in range(config.layers):
        prefix = f"model.layers.{i}"
        yield f"{prefix}.input_layernorm.weight", (hidden,)
        for name, rows, columns, bias in (
            ("self_attn.q_proj", q, hidden, config.qkv_bias),
            ("self_attn.k_proj", kv, hidden, config.qkv_bias),
            ("self_attn.v_proj", kv, hidden, config.qkv_bias),
            ("self_attn.o_proj", hidden, q, config.output_bias),
            ("mlp.gate_proj", mlp, hidden, config.mlp_bias),
            ("mlp.up_proj", mlp, hidden, config.mlp_bias),
            ("mlp.down_proj", hidden, mlp, config.mlp_bias),
        ):
            yield f"{prefix}.{name}.weight", (rows, columns)
            if bias:
                yield f"{prefix}.{name}.bias", (rows,)
        if config.qk_norm:
            yield f"{prefix}.self_attn.q_norm.weight", (config.head_size,)
            yield f"{prefix}.self_attn.k_norm.weight", (config.head_size,)
        yield f"{prefix}.post_attention_layernorm.weight", (hidden,)
    yield "model.norm.weight", (hidden,)
    if not config.tied_head:
        yield "lm_head.weight", (config.vocab_size, hidden)
