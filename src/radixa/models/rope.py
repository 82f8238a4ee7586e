"""Rotary position embedding: how fast each pair of a head's elements turns, and by how much at a position.

RoPE: Su et al. 2021; linear interpolation: Chen et al. 2023; YaRN: Peng et al. 2023; the `llama3` rule came with
Llama 3.1. Frequencies are float32 and computed in the same order of operations as `transformers` does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from radixa.models.base import ModelConfig

if TYPE_CHECKING:
    from torch import Tensor


class Rope:
    """Angles for a model. `scale` multiplies cosine and sine (YaRN sharpens attention that way)."""

    def __init__(self, config: ModelConfig, device: torch.device | str = "cpu") -> None:
        found, self.scale = frequencies(config)
        self.frequencies = found.to(device)

    def angles(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin, each [N, D / 2] float32, for positions [N] int64."""
        turned = positions.unsqueeze(1).float() * self.frequencies
        cos, sin = turned.cos(), turned.sin()
        return (cos, sin) if self.scale == 1.0 else (cos * self.scale, sin * self.scale)


def frequencies(config: ModelConfig) -> tuple[Tensor, float]:
    """Radians per position of each pair [D / 2] float32, and the factor on cosine and sine."""
    exponents = torch.arange(0, config.head_size, 2, dtype=torch.int64).float() / config.head_size
    plain = 1.0 / (config.rope_theta**exponents)
    scaling = config.rope_scaling
    if scaling is None:
        return plain, 1.0
    match scaling["rope_type"]:
        case "linear":
            return plain / scaling["factor"], 1.0
        case "factors":
            return plain / torch.tensor(scaling["factors"], dtype=torch.float32), 1.0
        case "llama3":
            return _llama3(plain, scaling), 1.0
        case "yarn":
            return _yarn(config, scaling, exponents)
        case other:
            raise ValueError(f"unknown RoPE scaling {other!r}; models.config lets none through")


def _llama3(plain: Tensor, scaling: dict[str, Any]) -> Tensor:
    """Slow frequencies are divided by `factor`, fast ones stay, those between are blended."""
    factor, low, high = scaling["factor"], scaling["low_freq_factor"], scaling["high_freq_factor"]
    context = scaling["original_max_position_embeddings"]
    wavelength = 2 * math.pi / plain
    scaled = torch.where(wavelength > context / low, plain / factor, plain)
    blend = (context / wavelength - low) / (high - low)
    blended = (1 - blend) * scaled / factor + blend * scaled
    between = ~(wavelength < context / high) * ~(wavelength > context / low)
    return torch.where(between, blended, scaled)


def _yarn(config: ModelConfig, scaling: dict[str, Any], exponents: Tensor) -> tuple[Tensor, float]:
    """Fast frequencies are kept, slow ones interpolated, with a ramp between, and attention is sharpened."""
    factor, context = scaling["factor"], scaling["original_max_position_embeddings"]
    low = _turns_at(config, scaling.get("beta_fast") or 32, context)
    high = _turns_at(config, scaling.get("beta_slow") or 1, context)
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, config.head_size - 1)
    width = high - low if high != low else 0.001
    ramp = ((torch.arange(config.head_size // 2, dtype=torch.float32) - low) / width).clamp(0, 1)
    kept = 1 - ramp
    powers = config.rope_theta**exponents
    mixed = (1.0 / (factor * powers)) * (1 - kept) + (1.0 / powers) * kept
    return mixed, _yarn_scale(scaling, factor)


def _turns_at(config: ModelConfig, turns: float, context: int) -> float:
    """The (fractional) pair that turns `turns` times over the original context."""
    return (config.head_size * math.log(context / (turns * 2 * math.pi))) / (2 * math.log(config.rope_theta))


def _yarn_scale(scaling: dict[str, Any], factor: float) -> float:
    if scaling.get("attention_factor") is not None:
        return float(scaling["attention_factor"])

    def sharpened(weight: float) -> float:
        return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0

    mscale, mscale_all = scaling.get("mscale"), scaling.get("mscale_all_dim")
    return sharpened(mscale) / sharpened(mscale_all) if mscale and mscale_all else sharpened(1.0)
