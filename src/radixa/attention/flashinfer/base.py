"""Plans of the FlashInfer backend.

A step's own contexts are attended to by FlashInfer's decode kernel, or by its prefill kernel where a sequence has
several rows; each level of shared nodes by its prefill kernel, which packs the query heads of all rows of an entry into
tiles. Kernels for one CUDA graph keep their grid, so a plan that stays in place (`reserve`) has wrappers for a fixed
number of entries, made when a step first needs them.

Unlike those of `radixa.attention.triton`, a plan serves one step only (`lasting`): FlashInfer reads the lengths of the
contexts on the host to cut them up. It is refilled for every step, and a graph's replays find the new numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Variant(NamedTuple):
    """What a CUDA graph of a plan holds: tokens of a page, and entries of each level of shared nodes."""

    page: int
    entries: tuple[int, ...]


@dataclass(slots=True)
class FlashInferPlan:
    """`own` and `shared` are FlashInfer's wrappers, already planned: one for the own contexts, one a shared level."""

    variant: Variant
    own: Any
    shared: list[Any]
    limits: Tensor | None = None
    """[rows] int32, of a plan that stays in place. The engine counts in it; nothing here reads it."""
    slots: int = 0
    """Pages that the own contexts of a plan in place have room for."""
    levels: dict[tuple[int, int], Any] = field(default_factory=dict)
    """Wrappers made so far of a plan in place, by level and entries."""
    copied: torch.cuda.Event | None = None
    """When the last refill has left the host's memory, which the next one writes to."""
