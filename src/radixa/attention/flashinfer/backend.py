"""`AttentionBackend` by FlashInfer 0.6.14, with plans that stay in place under a CUDA graph (`base.py` says how)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import flashinfer
import numpy as np
import torch
from torch import Tensor

from radixa.attention.base import SequenceLayout, TreeMode
from radixa.attention.flashinfer.base import FlashInferPlan, Variant
from radixa.attention.flashinfer.tables import Ints, StepTables, Table, padded, step_tables
from radixa.attention.flashinfer.tuning import (
    ENTRIES,
    LEVELS,
    ROOMS,
    SLOTS_A_ROW,
    TENSOR_CORES_FROM,
    WORKSPACE,
    sharing_pays,
)
from radixa.attention.graphs import HeadShape
from radixa.attention.tree_plan import Pays, sharing_rule

IN_FLIGHT = 4
"""Plans kept alive after they are replaced: FlashInfer's copies out of their pinned memory may still be under way."""


class FlashInferAttention:
    """bfloat16 and float16; head sizes 64 and 128; 1 to 8 query heads a kv head."""

    lasting = False
    """Whether a plan in place serves the steps ahead as well."""

    def __init__(
        self,
        shape: HeadShape,
        device: torch.device | str,
        mode: TreeMode = "auto",
        page: int = 1,
        dtype: torch.dtype = torch.bfloat16,
        tensor_cores: bool | None = None,
    ) -> None:
        """`page`: 16 for pages of 16 tokens where a step's segments are whole ones; K and V then have to be, too.

        `tensor_cores`: of decode; None decides by the group.
        """
        self.name = "flashinfer"
        self.shape = shape
        self._heads = shape.kv_heads * shape.group, shape.kv_heads, shape.size
        """As FlashInfer's plans take them."""
        self.device = torch.device(device)
        self._page = page
        self._dtype = dtype
        self._tensor_cores = shape.group >= TENSOR_CORES_FROM if tensor_cores is None else tensor_cores
        rule = sharing_rule(mode, sharing_pays)
        self._pays: Pays = lambda length, sequences: rule(length, sequences * shape.group)
        # FlashInfer wants zeros at first use.
        self._workspace = torch.zeros(WORKSPACE, dtype=torch.uint8, device=self.device)
        self._kept: deque[FlashInferPlan] = deque(maxlen=IN_FLIGHT)

    def plan(self, layouts: Sequence[SequenceLayout]) -> FlashInferPlan:
        tables = step_tables(layouts, self._pays, self._page)
        if tables.decodes:
            own = self._decode_wrapper()
            self._plan_decode(own, tables)
        else:
            # On Hopper the kernels for whole prompts have tiles of 128 rows of one query head: none for single rows.
            own = self._prefill_wrapper("auto" if tables.prompts else "fa2")
            self._plan_prefill(own, tables.own, tables.page, causal=True)
        shared = []
        for table in tables.shared:
            level = self._prefill_wrapper("fa2")
            self._plan_prefill(level, table, tables.page)
            shared.append(level)
        variant = Variant(tables.page, tuple(table.entries for table in tables.shared))
        plan = FlashInferPlan(variant, own, shared)
        self._kept.append(plan)
        return plan

    def reserve(self, rows: int, slots: int = 0) -> FlashInferPlan:
        """Buffers for decode steps of up to `rows` sequences. `slots`: pages of their contexts that there is room for,
        those of shared nodes once a level."""
        slots = slots or rows * SLOTS_A_ROW
        own = flashinfer.BatchDecodeWithPagedKVCacheWrapper(
            self._workspace,
            "HND",
            use_cuda_graph=True,
            use_tensor_cores=self._tensor_cores,
            paged_kv_indptr_buffer=self._integers(rows + 1),
            paged_kv_indices_buffer=self._integers(slots),
            paged_kv_last_page_len_buffer=self._integers(rows),
        )
        plan = FlashInferPlan(Variant(self._page, ()), own, [], self._integers(rows), slots)
        self.refill(plan, [])
        return plan

    def refill(
        self, plan: FlashInferPlan, layouts: Sequence[SequenceLayout], ahead: Sequence[int] = ()
    ) -> Variant | None:
        """Plan a decode step into `plan`. The slots `ahead` are left out: the plan serves this one step.

        None, and nothing changed, where the step does not fit or a sequence has several rows.
        """
        assert plan.limits is not None, "a plan from `reserve`"
        tables = step_tables(layouts, self._pays, self._page, ahead, len(plan.limits))
        most = max((table.entries for table in tables.shared), default=0)
        few = len(tables.shared) <= LEVELS
        pages = max(len(table.pages) for table in (tables.own, *tables.shared))
        fits = tables.own.entries <= len(plan.limits) and most <= ENTRIES and pages <= plan.slots
        if not tables.decodes or not fits or not few:
            return None
        if plan.copied is not None:
            plan.copied.synchronize()
        self._plan_decode(plan.own, tables)
        plan.variant = Variant(tables.page, tuple(_room(table.entries) for table in tables.shared))
        plan.shared = []
        for depth, (table, entries) in enumerate(zip(tables.shared, plan.variant.entries, strict=True)):
            level = self._level(plan, depth, entries)
            self._plan_prefill(level, padded(table, entries), tables.page)
            plan.shared.append(level)
        plan.copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        plan.copied.record()
        return plan.variant

    def attend(
        self, q: Tensor, k_layer: Tensor, v_layer: Tensor, plan: FlashInferPlan, scale: float, out: Tensor | None = None
    ) -> Tensor:
        """As `AttentionBackend.attend`. q's strides are free but for the last axis; `out` is contiguous."""
        rows, heads, size = q.shape
        if out is None:
            out = torch.empty(rows, heads * size, dtype=q.dtype, device=q.device)
        result = out.view(rows, heads, size)
        cache = _paged(k_layer, plan.variant.page), _paged(v_layer, plan.variant.page)
        if not plan.shared:
            plan.own.run(q, cache, q_scale=scale, out=result)
            return out
        _, mass = plan.own.run(q, cache, q_scale=scale, out=result, return_lse=True)
        for level in plan.shared:
            part, part_mass = level.run(q, cache, q_scale=scale, out=torch.empty_like(result), return_lse=True)
            flashinfer.merge_state_in_place(result, mass, part, part_mass)
        return out

    def _level(self, plan: FlashInferPlan, depth: int, entries: int) -> Any:
        """The wrapper of a plan in place for a level of so many entries."""
        found = plan.levels.get((depth, entries))
        if found is None:
            found = plan.levels[depth, entries] = flashinfer.BatchPrefillWithPagedKVCacheWrapper(
                self._workspace,
                "HND",
                use_cuda_graph=True,
                qo_indptr_buf=self._integers(entries + 1),
                paged_kv_indptr_buf=self._integers(entries + 1),
                paged_kv_indices_buf=self._integers(plan.slots),
                paged_kv_last_page_len_buf=self._integers(entries),
                backend="fa2",
            )
        return found

    def _decode_wrapper(self) -> Any:
        return flashinfer.BatchDecodeWithPagedKVCacheWrapper(
            self._workspace, "HND", use_tensor_cores=self._tensor_cores
        )

    def _prefill_wrapper(self, backend: str) -> Any:
        return flashinfer.BatchPrefillWithPagedKVCacheWrapper(self._workspace, "HND", backend=backend)

    def _plan_decode(self, wrapper: Any, tables: StepTables) -> None:
        table = tables.own
        wrapper.plan(
            _pinned(table.bounds),
            self._sent(table.pages),
            _pinned(table.last),
            *self._heads,
            tables.page,
            q_data_type=self._dtype,
            sm_scale=1.0,
        )

    def _plan_prefill(self, wrapper: Any, table: Table, page: int, causal: bool = False) -> None:
        wrapper.plan(
            _pinned(table.queries),
            _pinned(table.bounds),
            self._sent(table.pages),
            _pinned(table.last),
            *self._heads,
            page,
            causal=causal,
            q_data_type=self._dtype,
            sm_scale=1.0,
            # Else it looks for the longest entry one by one.
            max_token_per_sequence=int(np.diff(table.queries).max()),
        )

    def _integers(self, count: int) -> Tensor:
        return torch.zeros(count, dtype=torch.int32, device=self.device)

    def _sent(self, numbers: Ints) -> Tensor:
        """On the device, by a copy that is not waited for. FlashInfer reads only the other tables on the host."""
        return _pinned(numbers).to(self.device, non_blocking=True)


def _room(entries: int) -> int:
    """Entries that a level in place is made for."""
    return next(room for room in ROOMS if room >= entries)


def _pinned(numbers: Ints) -> Tensor:
    tensor = torch.from_numpy(numbers)
    return tensor.pin_memory() if len(numbers) else tensor


def _paged(layer: Tensor, page: int) -> Tensor:
    """K or V [Hkv, C, D] as FlashInfer's [C / page, Hkv, page, D], a view; slots after the last whole page left out."""
    heads, slots, size = layer.shape
    pages = slots // page
    return layer[:, : pages * page].view(heads, pages, page, size).transpose(0, 1)
