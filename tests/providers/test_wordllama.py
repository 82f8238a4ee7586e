"""The package's model: files that are not what they are named, and names that are taken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from radixa.core.config import ProviderConfig
from radixa.core.errors import ConfigError, ModelError
from radixa.providers.registry import upstreams
from radixa.providers.wordllama.base import DIMENSIONS
from radixa.providers.wordllama.files import Files, files
from radixa.providers.wordllama.model import WordLlama


@pytest.fixture
def small(tmp_path: Path) -> Files:
    """A model of three tokens."""
    tokenizer = tmp_path / "tokenizer.json"
    vocabulary = {"▁": 0, "a": 1, "b": 2}
    tokenizer.write_text(
        json.dumps(
            {
                "version": "1.0",
                "added_tokens": [],
                "normalizer": {"type": "Prepend", "prepend": "▁"},
                "model": {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "b"},
            }
        ),
        "utf-8",
    )
    rows = np.zeros((3, DIMENSIONS), np.float16)
    rows[1, :2] = (6, 8)
    save_file({"embedding.weight": rows}, tmp_path / "weights.safetensors")
    return Files(tmp_path / "weights.safetensors", tokenizer)


def test_a_vector_is_the_mean_at_length_one(small: Files) -> None:
    model = WordLlama(small)
    assert model.tokens("a") == [0, 1]
    found = model.embed([0, 1], 3)
    assert found.tokens == 2
    assert found.vector == pytest.approx([0.6, 0.8, 0])
    assert model.least_tokens("a" * 10) == 10


def test_a_mean_of_nothing_stays_nothing(small: Files) -> None:
    assert WordLlama(small).embed([0, 2]).vector == [0.0] * DIMENSIONS


def test_files_that_cannot_be(small: Files, tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    torn.write_bytes(small.weights.read_bytes()[:200])
    with pytest.raises(ModelError, match=r"cannot read the weights .*torn"):
        WordLlama(Files(torn, small.tokenizer))
    other = tmp_path / "other"
    save_file({"weight": np.zeros((3, DIMENSIONS), np.float16)}, other)
    with pytest.raises(ModelError, match=r"cannot read the weights .*other.*embedding\.weight"):
        WordLlama(Files(other, small.tokenizer))
    save_file({"embedding.weight": np.zeros((4, DIMENSIONS), np.float16)}, other)
    with pytest.raises(ModelError, match=r"has the shape \(4, 256\); tokenizer\.json needs \(3, 256\)"):
        WordLlama(Files(other, small.tokenizer))
    small.tokenizer.write_text("{", "utf-8")
    with pytest.raises(ModelError, match=r"cannot read the tokenizer .*tokenizer\.json"):
        WordLlama(small)


def test_its_name_is_taken() -> None:
    with pytest.raises(ConfigError, match=r"providers\.wordllama: this name is that of the package's own model"):
        upstreams({"wordllama": ProviderConfig("openai-compatible", "http://127.0.0.1:1")}, {})


def test_the_package_ships_it() -> None:
    found = files()
    assert found is not None
    assert found.weights.stat().st_size > 16_000_000
