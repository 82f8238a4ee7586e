"""`AttentionBackend` by Triton's kernels, with plans that stay in place under a CUDA graph (`base.py` says how)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from radixa.attention.base import SequenceLayout, TreeMode
from radixa.attention.graphs import HeadShape
from radixa.attention.tree_plan import Pays, sharing_rule
from radixa.attention.triton.base import Capacity, DevicePlan, HostPlan, Ints, Variant
from radixa.attention.triton.items import plan_step
from radixa.attention.triton.kernel import attend_kernel, merge_kernel
from radixa.attention.triton.layout import HEADER, ITEM, MERGE, NARROW, RUN
from radixa.attention.triton.tuning import (
    BIG_ALONE,
    BIG_BESIDE,
    FEW_RUNS,
    FRAGMENT,
    MERGE_PARTS,
    MERGE_PROGRAMS,
    MERGE_WARPS,
    SMALL,
    Launch,
    sharing_pays,
)
from radixa.kernels.triton.early import early


class TritonAttention:
    """bfloat16, float16 and float32; head sizes 64 and 128; 1 to 8 query heads a kv head. `GraphAttention`."""

    lasting = True

    def __init__(
        self, shape: HeadShape, device: torch.device | str, mode: TreeMode = "auto", page: int | None = None
    ) -> None:
        """`page`: 1 or 16 to follow pages always, 0 never; None decides for each plan by how long the runs are."""
        self.name = "triton"
        self.shape = shape
        self.device = torch.device(device)
        self._page = page
        rule = sharing_rule(mode, sharing_pays)
        self._pays: Pays = lambda length, sequences: rule(length, sequences * shape.group)
        self._beside: torch.cuda.Stream | None = None
        self._processors = 4
        if self.device.type == "cuda":
            self._processors = torch.cuda.get_device_properties(self.device).multi_processor_count
            # Ahead of the small tiles, whose programs would else leave no room for a big one's.
            self._beside = torch.cuda.Stream(self.device, priority=-1)  # type: ignore[no-untyped-call]

    def plan(self, layouts: Sequence[SequenceLayout]) -> DevicePlan:
        host = self.plan_host(layouts)
        plan = self._allocate(need(host))
        self._copy(plan, host)
        return plan

    def plan_host(self, layouts: Sequence[SequenceLayout], ahead: Sequence[int] = (), rows: int = 0) -> HostPlan:
        """A step's plan, not on the device yet. `rows`: of the bucket."""
        page = self._page
        if page is None:
            runs = sum(len(layout.segments) for layout in layouts)
            tokens = sum(layout.context for layout in layouts)
            page = int(runs > FEW_RUNS * len(layouts) and tokens < runs * FRAGMENT)
        return plan_step(layouts, ahead, page, self.shape.group, self._bins, self._pays, rows)

    def reserve(self, rows: int, slots: int = 0) -> DevicePlan:
        kinds = [self._bins(Variant(2, wide, 0)) for wide in (0, 64, 128)]
        small, big = (max(counts) for counts in zip(*kinds, strict=True))
        # A flat plan of unbroken contexts has an item a sequence; each bin cuts one more, of as many rows as fit.
        items = 4 * rows + small + big
        parts = 6 * rows + (NARROW * small + 128 * big) // self.shape.group
        bins = small + big + 2
        plan = self._allocate(Capacity(rows, bins, items, 2 * items + 8 * rows, rows, parts, slots, parts))
        self._copy(plan, self.plan_host([], (), rows))
        return plan

    def refill(self, plan: DevicePlan, layouts: Sequence[SequenceLayout], ahead: Sequence[int] = ()) -> Variant | None:
        host = self.plan_host(layouts, ahead, plan.capacity.rows)
        if any(has > room for has, room in zip(need(host), plan.capacity, strict=True)):
            return None
        self._copy(plan, host)
        return plan.variant

    def attend(
        self, q: Tensor, k_layer: Tensor, v_layer: Tensor, plan: DevicePlan, scale: float, out: Tensor | None = None
    ) -> Tensor:
        kv_heads, group, size = self.shape
        heads = kv_heads * group
        if out is None:
            out = torch.empty(q.shape[0], heads * size, dtype=q.dtype, device=q.device)
        items_at, runs_at, merges_at, parts_at, pages_at, _ = places(plan.capacity)

        def launch(how: Launch, wide: int, bins_at: int) -> None:
            if q.dtype == torch.float32:
                # Tiles of twice the bytes, in the same shared memory.
                how = how._replace(tokens=32, stages=2, registers=None)
            attend_kernel[kv_heads, self._count(how)](
                q,
                k_layer,
                v_layer,
                out,
                plan.partial,
                plan.mass,
                plan.limits,
                plan.numbers,
                bins_at,
                items_at,
                runs_at,
                pages_at,
                q.stride(0),
                q.stride(1),
                k_layer.stride(0),
                k_layer.stride(1),
                v_layer.stride(0),
                v_layer.stride(1),
                out.stride(0),
                scale * math.log2(math.e),
                GROUP=group,
                HEADS=kv_heads,
                SIZE=size,
                M=wide or NARROW,
                N=how.tokens,
                PAGE=plan.variant.page,
                PEEL=wide > 0,
                PRECISION="tf32x3" if q.dtype == torch.float32 else "tf32",
                num_warps=how.warps,
                num_stages=how.stages,
                maxnreg=how.registers,
            )

        small, big = _launches(plan.variant)
        big_at = HEADER + (self._count(small) + 1 if small else 0)
        if small is None or big is None or self._beside is None:
            for how, wide, at in ((big, plan.variant.wide, big_at), (small, 0, HEADER)):
                if how is not None:
                    launch(how, wide, at)
        else:
            here = torch.cuda.current_stream(self.device)
            self._beside.wait_stream(here)
            with torch.cuda.stream(self._beside):
                launch(big, plan.variant.wide, big_at)
            launch(small, 0, HEADER)
            here.wait_stream(self._beside)
        if plan.capacity.merges:
            merge_kernel[min(plan.capacity.merges * heads, MERGE_PROGRAMS * self._processors),](
                out,
                plan.partial,
                plan.mass,
                plan.numbers,
                merges_at,
                parts_at,
                out.stride(0),
                QUERY_HEADS=heads,
                SIZE=size,
                PARTS=MERGE_PARTS,
                num_warps=MERGE_WARPS,
                **early(q),
            )
        return out

    def _bins(self, variant: Variant) -> tuple[int, int]:
        small, big = _launches(variant)
        return (self._count(small) if small else 0), (self._count(big) if big else 0)

    def _count(self, launch: Launch) -> int:
        """Bins, each of them a program for every kv head."""
        return max(1, launch.programs * self._processors // self.shape.kv_heads)

    def _allocate(self, capacity: Capacity) -> DevicePlan:
        heads = self.shape.kv_heads * self.shape.group
        return DevicePlan(
            Variant(0, 0, 0),
            capacity,
            torch.empty(capacity.rows, dtype=torch.int32, device=self.device),
            torch.empty(places(capacity)[-1], dtype=torch.int32, device=self.device),
            torch.empty(capacity.partials, heads, self.shape.size, dtype=torch.float32, device=self.device),
            torch.empty(capacity.partials, heads, dtype=torch.float32, device=self.device),
        )

    def _copy(self, plan: DevicePlan, host: HostPlan) -> None:
        """Write the arrays into one buffer and start its copy. Of the table of pages only what is used is sent."""
        items_at, runs_at, merges_at, parts_at, pages_at, _ = places(plan.capacity)
        used = pages_at + len(host.pages)
        pinned = self.device.type == "cuda"
        staged = torch.empty(used + len(host.limits), dtype=torch.int32, pin_memory=pinned)
        numbers: Ints = staged.numpy()
        numbers[0] = len(host.merges)
        for at, array in (
            (HEADER, host.bins),
            (items_at, host.items),
            (runs_at, host.runs),
            (merges_at, host.merges),
            (parts_at, host.parts),
            (pages_at, host.pages),
            (used, host.limits),
        ):
            numbers[at : at + array.size] = array.reshape(-1)
        plan.numbers[:used].copy_(staged[:used], non_blocking=True)
        plan.limits.copy_(staged[used:], non_blocking=True)
        plan.variant = host.variant


def _launches(variant: Variant) -> tuple[Launch | None, Launch | None]:
    """Of the small and the big tiles."""
    small = SMALL.get(variant.small)
    return small, (BIG_BESIDE if small else BIG_ALONE).get(variant.wide)


def need(host: HostPlan) -> Capacity:
    """The capacity that a plan fills."""
    return Capacity(
        len(host.limits),
        len(host.bins),
        len(host.items),
        len(host.runs),
        len(host.merges),
        len(host.parts),
        len(host.pages),
        host.partials,
    )


def places(capacity: Capacity) -> tuple[int, int, int, int, int, int]:
    """Where items, runs, merges, parts and pages begin in `DevicePlan.numbers`, and where all ends."""
    items = HEADER + capacity.bins
    runs = items + capacity.items * ITEM
    merges = runs + capacity.runs * RUN
    parts = merges + capacity.merges * MERGE
    pages = parts + capacity.parts
    return items, runs, merges, parts, pages, pages + capacity.pages
