"""What the engine on CUDA asks of an attention backend besides: plans that stay in place under a CUDA graph."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from radixa.attention.base import AttentionBackend, SequenceLayout

if TYPE_CHECKING:
    from torch import Tensor


class HeadShape(NamedTuple):
    """Of a model's attention: `kv_heads` heads of K and V, each for `group` (1 to 8) query heads of size 64 or 128."""

    kv_heads: int
    group: int
    size: int


class PlanInPlace(Protocol):
    """What the engine knows of a plan that stays in place."""

    @property
    def limits(self) -> Tensor | None:
        """[rows] int32: the tokens that each row sees, which the engine counts up."""
        ...


class GraphAttention(AttentionBackend, Protocol):
    """An `AttentionBackend` whose plans can also stay in place under a CUDA graph: Triton's and FlashInfer's."""

    lasting: bool
    """Whether a plan in place serves the steps `ahead` as well; else it is refilled for each."""

    def reserve(self, rows: int, slots: int = 0) -> PlanInPlace:
        """Buffers for decode steps of up to `rows` sequences, holding a plan without any.

        `slots`: of the pool, to have room for a table of slots, which contexts in short fragments need.
        """
        ...

    def refill(self, plan: Any, layouts: Sequence[SequenceLayout], ahead: Sequence[int] = ()) -> Hashable | None:
        """Plan a decode step into `plan`, of `reserve`. What is returned says which graph the plan is for.

        `ahead[i]`: slots at the end of a layout's segments that hold no token yet. None, and nothing changed, where
        the plan does not fit the buffers: such a step is planned by `plan` and runs without the graph.
        """
        ...

    def attend(
        self, q: Tensor, k_layer: Tensor, v_layer: Tensor, plan: Any, scale: float, out: Tensor | None = None
    ) -> Tensor:
        """As `AttentionBackend.attend`: q [N, Hq, D] over k_layer, v_layer [Hkv, C, D] -> [N, Hq * D] in q's dtype.

        N is the plan's rows. Strides are free but for the last axis, which is contiguous: q may be a view of a fused
        projection's output. `out` is used where given. Nothing waits for the device.
        """
        ...
