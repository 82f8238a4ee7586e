"""FlashInfer's ways to do the same steps, where it is installed.

Pages of 16 tokens, and plans for the step alone: what suits it best. Decode has two kernels, one on the matrix units
and one without. Cascade attention is its prefill kernel for shared nodes with its decode kernel for the rest (our
backend), or `MultiLevelCascadeAttentionWrapper` as it comes. All are measured; the better of each pair counts.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import torch
from attention_cases import SHAPE, Data, Step, check, microseconds

from radixa.attention.base import TreeMode
from radixa.attention.tree_plan import sharing_rule

PAGE = 16


def version() -> str | None:
    """None where it is not installed."""
    if find_spec("flashinfer") is None:
        return None
    import flashinfer

    return str(flashinfer.__version__)


def decode_us(step: Step, data: Data) -> dict[str, float]:
    """Microseconds a layer of each way; `flat` and `cascade` are the better of theirs, the latter of shared nodes."""
    found = {
        "flat_matrix_units": _attention_us(step, data, "off", tensor_cores=True),
        "flat_scalar": _attention_us(step, data, "off", tensor_cores=False),
    }
    found["flat"] = min(found.values())
    if step.shares:
        found["cascade_prefill_decode"] = _attention_us(step, data, "on")
        found["cascade_multi_level"] = _multi_level_us(step, data)
        found["cascade"] = min(found["cascade_prefill_decode"], found["cascade_multi_level"])
    return found


def prefill_us(step: Step, data: Data) -> float:
    """Microseconds a layer of the prefill kernel that it has for this GPU."""
    return _attention_us(step, data, "off")


def _attention_us(step: Step, data: Data, mode: TreeMode, tensor_cores: bool | None = None) -> float:
    from radixa.attention.flashinfer.backend import FlashInferAttention

    attention = FlashInferAttention(SHAPE, "cuda", mode, PAGE, tensor_cores=tensor_cores)
    plan = attention.plan(step.layouts)
    out = torch.full((len(data.q), data.q[0].numel()), torch.nan, dtype=data.q.dtype, device="cuda")
    scale = SHAPE.size**-0.5
    return _checked_us(step, data, lambda i: attention.attend(data.q, data.k[i], data.v[i], plan, scale, out))


def _multi_level_us(step: Step, data: Data) -> float:
    """Its wrapper with the levels that our plan has."""
    import flashinfer

    from radixa.attention.flashinfer.tables import step_tables
    from radixa.attention.flashinfer.tuning import WORKSPACE, sharing_pays

    tables = step_tables(step.layouts, sharing_rule("on", sharing_pays), PAGE)
    levels = [*tables.shared, tables.own]
    workspace = torch.zeros(WORKSPACE, dtype=torch.uint8, device="cuda")
    wrapper = flashinfer.MultiLevelCascadeAttentionWrapper(len(levels), workspace, "HND")
    columns = [[torch.from_numpy(level[i]).cuda() for level in levels] for i in range(4)]
    wrapper.plan(*columns, SHAPE.kv_heads * SHAPE.group, SHAPE.kv_heads, SHAPE.size, PAGE, q_data_type=data.q.dtype)

    def paged(layer: torch.Tensor) -> torch.Tensor:
        return layer.view(SHAPE.kv_heads, -1, PAGE, SHAPE.size).transpose(0, 1)

    return _checked_us(step, data, lambda i: wrapper.run(data.q, (paged(data.k[i]), paged(data.v[i]))).flatten(1))


def _checked_us(step: Step, data: Data, run: Callable[[int], torch.Tensor]) -> float:
    check(step, data, run(0))
    return microseconds(run, len(data.k))
