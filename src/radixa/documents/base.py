"""What reading a document gives, what a search finds, and who makes vectors. Lengths are characters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from radixa.store.documents.base import Passage

Kind = Literal["text", "markdown", "html", "pdf"]


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document under one heading."""

    headings: tuple[str, ...]
    """From the outermost; empty before the first one."""
    blocks: tuple[str, ...]
    """Paragraphs, lists, tables, code: what is not cut where it need not be."""


@dataclass(frozen=True, slots=True)
class Embedder:
    """Makes vectors of texts. `embed` blocks, and may be called from several threads."""

    model: str
    """Whose vectors they are: those of two models cannot be compared."""
    embed: Callable[[Sequence[str]], Sequence[Sequence[float]]]


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that was chosen."""

    passage: Passage
    rank: int
    """Its place by how well it fits the query, from 1."""
    score: float
    """What the rankings came to: comparable within one search only."""

    @property
    def text(self) -> str:
        """The passage as a prompt takes it: its headings, then its words. The same at every search."""
        heading = self.passage.heading
        return f"{heading}\n\n{self.passage.text}" if heading else self.passage.text


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The chosen passages in the order in which they are to be sent."""

    passages: tuple[Found, ...]
    held: int
    """How many of them, from the first, were sent in this order before."""
