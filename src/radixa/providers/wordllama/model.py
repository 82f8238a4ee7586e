"""The model: a table of 32,000 token vectors. A text's vector is the mean of its tokens', of length 1."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from radixa.core.errors import ModelError
from radixa.providers.wordllama.base import DIMENSIONS
from radixa.providers.wordllama.files import Files

if TYPE_CHECKING:
    import numpy as np
    import tokenizers
    from numpy.typing import NDArray


class Embedding(NamedTuple):
    tokens: int
    vector: list[float]


class WordLlama:
    """Loaded in about 0.2 s; 16 MB of weights as they are stored, in float16."""

    def __init__(self, found: Files) -> None:
        """ModelError where a file is not what it is named."""
        self._tokenizer = _tokenizer(found.tokenizer)
        self._rows = _rows(found.weights)
        vocabulary = self._tokenizer.get_vocab()
        if self._rows.shape != (len(vocabulary), DIMENSIONS):
            raise ModelError(
                f"{found.weights} has the shape {self._rows.shape}; "
                f"{found.tokenizer.name} needs {(len(vocabulary), DIMENSIONS)}"
            )
        self._longest = max(map(len, vocabulary))

    def least_tokens(self, text: str) -> int:
        """That the text has at least, told by its length alone."""
        return len(text) // self._longest

    def tokens(self, text: str) -> list[int]:
        """Never none: a text begins with a token for the space before it."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def embed(self, tokens: list[int], dimensions: int = DIMENSIONS) -> Embedding:
        """The first `dimensions` numbers of the mean, made length 1 again."""
        import numpy as np

        mean = self._rows[tokens, :dimensions].mean(axis=0, dtype=np.float32)
        length = float(np.linalg.norm(mean))
        return Embedding(len(tokens), (mean / length if length else mean).tolist())


def _tokenizer(path: Path) -> tokenizers.Tokenizer:
    import tokenizers

    try:
        found = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises this very class
        raise ModelError(f"cannot read the tokenizer {path}: {error}") from error
    found.no_truncation()
    found.no_padding()
    return found


def _rows(path: Path) -> NDArray[np.float16]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)["embedding.weight"]
    except (OSError, KeyError, SafetensorError) as error:
        raise ModelError(f"cannot read the weights {path}: {error}") from error
