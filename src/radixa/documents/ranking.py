"""Several rankings of the same things as one, by reciprocal rank fusion.

Scores of different kinds (bm25, similarity, an angle) have no common scale; places do. The constant damps the first
places, so that what two rankings know beats what one of them puts first (Cormack, Clarke and Büttcher, 2009).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

DAMPING = 60


def fused(rankings: Sequence[Sequence[T]]) -> list[tuple[T, float]]:
    """Everything that is in any of the rankings with its score, best first; of equals, what an earlier one names."""
    scores: dict[T, float] = {}
    for ranking in rankings:
        for place, one in enumerate(ranking, 1):
            scores[one] = scores.get(one, 0.0) + 1 / (DAMPING + place)
    return sorted(scores.items(), key=lambda item: -item[1])
