"""Random weights of well-known shapes."""

from __future__ import annotations

import pytest
import torch

from radixa.attention.torch_backend import TorchAttention
from radixa.core.errors import ModelError
from radixa.kernels.torch_ops import TorchOps
from radixa.models import shapes
from radixa.models.base import ModelConfig
from radixa.models.load import load_random, random_config
from tests.models.checkpoints import Session

BILLIONS = {"smollm2-135m": 0.1345, "qwen3-0.6b": 0.596, "llama-3-8b": 8.03}


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_shapes_have_the_size_their_name_says(name: str) -> None:
    count = 0
    for _, shape in shapes.weight_shapes(random_config(f"random:{name}")):
        count += torch.Size(shape).numel()
    assert count == pytest.approx(BILLIONS[name] * 1e9, rel=0.002)
    assert random_config(name) == random_config(f"random:{name}")


def test_an_unknown_shape_names_those_there_are() -> None:
    with pytest.raises(ModelError, match="no random shape 'gpt-5'; there are random:smollm2-135m"):
        random_config("gpt-5")


@pytest.mark.parametrize("qk_norm", [True, False])
def test_random_models_run_and_are_the_same_every_time(qk_norm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    small = ModelConfig(
        family="qwen3" if qk_norm else "qwen2",
        vocab_size=50,
        hidden_size=32,
        layers=2,
        heads=4,
        kv_heads=2,
        head_size=8,
        intermediate_size=48,
        context_length=64,
        norm_eps=1e-6,
        rope_theta=1e4,
        qk_norm=qk_norm,
        qkv_bias=not qk_norm,
    )
    monkeypatch.setitem(shapes.SHAPES, "small", small)
    runs = []
    for _ in range(2):
        decoder = load_random("random:small", "float32", TorchOps(), TorchAttention(), product="torch")
        runs.append(Session(decoder).step([[1, 2, 3, 4]]))
    assert torch.equal(*runs)
    assert runs[0].isfinite().all()
    assert runs[0].std() == pytest.approx(1.0, abs=0.5)
