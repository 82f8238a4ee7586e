"""Where the package `wordllama` keeps its model.

The package itself is never imported: that takes 0.4 s and 50 MB, sets up everybody's logging, and its own loader looks
for the tokenizer where it does not lie, and then on the net.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple


class Files(NamedTuple):
    weights: Path
    tokenizer: Path


def files() -> Files | None:
    """The model's files; None where the package is not installed, or without them."""
    spec = find_spec("wordllama")
    for folder in (spec and spec.submodule_search_locations) or ():
        found = Files(
            Path(folder, "weights", "l2_supercat_256.safetensors"),
            Path(folder, "tokenizers", "l2_supercat_tokenizer_config.json"),
        )
        if found.weights.is_file() and found.tokenizer.is_file():
            return found
    return None
