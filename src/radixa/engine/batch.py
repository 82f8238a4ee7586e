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


@dataclass(frozen=True, slots=True)
class Batch:
    """One step: the decoder's input, and the sequences whose logits come out of it, in the order of their rows."""

    step: DecoderInput
    sampled: list[Sequence]


def build(work: list[Work], attention: AttentionBackend) -> Batch:
    """Pack the step, depth-first along the tree so that sequences sharing a node are neighbours."""
    import torch

    paths = [(w, _segments(w)) for w in work]
    paths.sort(key=_path)
    rows = sum(w.tokens for w in work)
    token_ids = np.empty(rows, np.int64)
    positions = np.empty(rows, np.int64)
    slots = np.empty(rows, np.int64)
    logit_rows: list[int] = []
    sampled: list[Sequence] = []
    layouts: list[SequenceLayout] = []
    row = 0
    for (sequence, tokens), segments in paths:
        start, stop, end = sequence.computed, sequence.computed + tokens, row + tokens
        token_ids[row:end] = sequence.ids(start, stop)
        positions[row:end] = np.arange(start, stop) if tokens > 1 else start
        _fill_slots(slots[row:end], segments)
        layouts.append(SequenceLayout(tokens, segments))
        row = end
        if stop == sequence.length:
            logit_rows.append(row - 1)
            sampled.append(sequence)
    step = DecoderInput(
        token_ids=torch.from_numpy(token_ids),
        positions=torch.from_numpy(positions),
        slots=torch.from_numpy(slots),
        logit_rows=torch.tensor(logit_rows, dtype=torch.int64),
        plan=attention.plan(layouts),
    )
    return Batch(step, sampled)


def _segments(work: Work) -> list[Segment]:
    assert work.sequence.lease is not None
    return work.sequence.lease.segments(work.sequence.computed + work.tokens)


def _path(entry: tuple[Work, list[Segment]]) -> list[int]:
    """Sort key: the tree nodes on the path. Equal beginnings sort next to each other."""
    return [segment.owner for segment in entry[1] if segment.owner]


def _fill_slots(slots: NDArray[np.int64], segments: list[Segment]) -> None:
    """The slots of a sequence's last `len(slots)` tokens, taken from the end of its segments."""
    end = len(slots)
    for segment in reversed(segments):
        take = min(end, segment.length)
        stop = segment.start + segment.length
        slots[end - take : end] = np.arange(stop - take, stop) if take > 1 else stop - 1
        end -= take
        if not end:
            return
