"""A step's work as the tensors the decoder takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from radixa.attention.base import AttentionBackend, SequenceLayout
from radixa.engine.scheduler import Work
from radixa.engine.sequence import Sequence
from radixa.kv.base import Segment
from radixa.models.base import DecoderInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Packed:
    """One step before it becomes tensors: the rows of all sequences after each other."""

    token_ids: Rows
    positions: Rows
    slots: Rows
    logit_rows: list[int]
    sampled: list[Sequence]
    """Whose logits come out of it, in the order of `logit_rows`."""
    layouts: list[SequenceLayout]


@dataclass(frozen=True, slots=True)
class Batch:
    """One step: the decoder's input, and the sequences whose logits come out of it, in the order of their rows."""

    step: DecoderInput
    sampled: list[Sequence]


def build(work: list[Work], attention: AttentionBackend) -> Batch:
    """The step as tensors in the host's memory."""
    import torch

    packed = pack(work)
    step = DecoderInput(
        token_ids=torch.from_numpy(packed.token_ids),
        positions=torch.from_numpy(packed.positions),
        slots=torch.from_numpy(packed.slots),
        logit_rows=torch.tensor(packed.logit_rows, dtype=torch.int64),
        plan=attention.plan(packed.layouts),
    )
    return Batch(step, packed.sampled)


def pack(work: list[Work]) -> Packed:
    """Pack the step, depth-first along the tree so that sequences sharing a node are neighbours."""
    paths = [(w, _segments(w)) for w in work]
    paths.sort(key=lambda entry: path(entry[1]))
    rows = sum(w.tokens for w in work)
    packed = Packed(np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(rows, np.int64), [], [], [])
    row = 0
    for (sequence, tokens), segments in paths:
        start, stop, end = sequence.computed, sequence.computed + tokens, row + tokens
        packed.token_ids[row:end] = sequence.ids(start, stop)
        packed.positions[row:end] = np.arange(start, stop) if tokens > 1 else start
        _fill_slots(packed.slots[row:end], segments)
        packed.layouts.append(SequenceLayout(tokens, segments))
        row = end
        if stop == sequence.length:
            packed.logit_rows.append(row - 1)
            packed.sampled.append(sequence)
    return packed


def path(segments: list[Segment]) -> list[int]:
    """Sort key: the tree nodes on the path. Equal beginnings sort next to each other."""
    return [segment.owner for segment in segments if segment.owner]


def _segments(work: Work) -> list[Segment]:
    assert work.sequence.lease is not None
    return work.sequence.lease.segments(work.sequence.computed + work.tokens)


def _fill_slots(slots: Rows, segments: list[Segment]) -> None:
    """The slots of a sequence's last `len(slots)` tokens, taken from the end of its segments."""
    end = len(slots)
    for segment in reversed(segments):
        take = min(end, segment.length)
        stop = segment.start + segment.length
        slots[end - take : end] = np.arange(stop - take, stop) if take > 1 else stop - 1
        end -= take
        if not end:
            return
