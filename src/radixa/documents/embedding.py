"""The model for passages' vectors: the small one that the package `wordllama` ships, which also answers
`/v1/embeddings`. Where it is not installed there are no vectors, and passages are found by their words alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from radixa.documents.base import Embedder
from radixa.providers.wordllama.base import MODEL
from radixa.providers.wordllama.files import files
from radixa.providers.wordllama.model import WordLlama


def packaged_embedder() -> Embedder | None:
    """None where the package is not installed. The model is loaded by the first text."""
    return None if files() is None else Embedder(MODEL, _embed)


def _embed(texts: Sequence[str]) -> list[list[float]]:
    model = _model()
    return [model.embed(model.tokens(text)).vector for text in texts]


@cache
def _model() -> WordLlama:
    """Once a process. Two threads that ask first at the same time may both load it, and one of them is kept."""
    found = files()
    assert found is not None
    return WordLlama(found)
