"""What the decoder asks of an attention backend.

A step works on several sequences at once: some prefill a chunk of their prompt, others decode one token. The scheduler
describes each by a `SequenceLayout`; the backend turns the layouts into a plan once per step, and the decoder then
calls `attend` once per layer with that plan.

The **tree plan**: sequences whose paths begin with the same tree node attend to that node's slots together, as one
matrix product over all their queries, and each merges the partial results of its path by log-sum-exp (Hydragen,
Juravsky et al. 2024; DeFT, Yao et al. 2025). The flat plan does the same sequence by sequence. A rule fitted by
measurement picks the faster one node by node, so that a tree plan is never slower than a flat one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from radixa.kv.base import Segment

if TYPE_CHECKING:
    from torch import Tensor

TreeMode = Literal["auto", "on", "off"]
"""`auto` shares a node where the measured rule says it pays, `on` wherever two sequences meet, `off` never."""


@dataclass(frozen=True, slots=True)
class SequenceLayout:
    """One sequence's part of a step.

    `segments` cover its whole context, root first, the new tokens last; the last `new` tokens of them are this step's
    queries, and token i of those sees the context up to and including itself.
    """

    new: int
    segments: list[Segment]

    @property
    def context(self) -> int:
        """Tokens attended to by the last query, itself included."""
        return sum(segment.length for segment in self.segments)


class AttentionBackend(Protocol):
    """Turns layouts into a plan, and queries into attention outputs."""

    name: str

    def plan(self, layouts: Sequence[SequenceLayout]) -> Any:
        """A plan for one step. Rows of `q` follow the order of `layouts`.

        The engine orders sequences depth-first along the tree, so that those sharing a node are neighbours. That order
        is what sharing is found by; it never changes a result.
        """
        ...

    def attend(self, q: Tensor, k_layer: Tensor, v_layer: Tensor, plan: Any, scale: float) -> Tensor:
        """Causal attention of q [N, Hq, D] over k_layer, v_layer [Hkv, C, D] -> [N, Hq * D], in q's dtype.

        The new tokens' K and V are already in their slots. Query head h uses kv head h // (Hq / Hkv).
        """
        ...
