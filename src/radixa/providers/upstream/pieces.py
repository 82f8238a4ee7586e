"""A prompt's bytes as a path for the tree: one token for each piece of them.

Prompts that begin alike have paths that begin alike, whatever tokenizer their model has. The pieces' hashes are this
process's own (`hash`), 31 bits each, so that a path means nothing anywhere else.
"""

from __future__ import annotations

from array import array

PIECE_BYTES = 256
"""About 64 tokens of English."""
MOST_PIECES = 1024
"""What comes after 256 KiB tells nothing apart that matters here."""

_MASK = 0x7FFF_FFFF


def path_of(prompt: bytes) -> bytes:
    """The path (`core.tokens`) of a prompt's whole pieces, the first MOST_PIECES at most."""
    end = min(len(prompt) // PIECE_BYTES, MOST_PIECES) * PIECE_BYTES
    return array("i", [hash(prompt[i : i + PIECE_BYTES]) & _MASK for i in range(0, end, PIECE_BYTES)]).tobytes()
