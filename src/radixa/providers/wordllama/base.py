"""What the model is called, and how much of it one request may ask."""

from __future__ import annotations

PROVIDER = "wordllama"
"""As entries of the catalogue name it."""
MODEL = "wordllama-l2-supercat-256"
DIMENSIONS = 256
"""It was trained so that the first 64 and the first 128 numbers of a vector are good vectors too (Matryoshka)."""
MOST_TOKENS = 8192
"""Of one input; the catalogue's `context`. The model has no bound of its own, but a mean of so many says little."""
MOST_TOKENS_IN_ALL = 300_000
"""Of one request's inputs together."""
INSTALL = "pip install 'radixa[embeddings]'"
