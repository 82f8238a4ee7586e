"""Passages with their embeddings, as the store keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from radixa.documents.base import Embedder
from radixa.store.documents.base import NewPassage

BATCH = 128
"""Texts that a model is given at a time."""


def with_vectors(pieces: Sequence[NewPassage], embedder: Embedder) -> list[NewPassage]:
    """The same passages, each with the vector of its heading and text."""
    found: list[NewPassage] = []
    for start in range(0, len(pieces), BATCH):
        some = pieces[start : start + BATCH]
        vectors = packed(embedder.embed([f"{piece.heading}\n{piece.text}".strip() for piece in some]))
        found += [replace(piece, vector=vector) for piece, vector in zip(some, vectors, strict=True)]
    return found


def packed(vectors: Sequence[Sequence[float]]) -> list[bytes]:
    """Each scaled to length 1, as little-endian float32; one of zeros stays as it is."""
    import numpy

    matrix = numpy.asarray(vectors, dtype="<f4")
    lengths = numpy.linalg.norm(matrix, axis=1, keepdims=True)
    scaled = matrix / numpy.where(lengths == 0, 1, lengths)
    return [bytes(row.tobytes()) for row in scaled.astype("<f4")]
