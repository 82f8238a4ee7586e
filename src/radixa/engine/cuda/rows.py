"""The rows of one step on their way into the runner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from radixa.attention.base import SequenceLayout
from radixa.engine.batch import pack
from radixa.engine.scheduler import Work
from radixa.engine.sequence import Sequence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int32]

Feed = Callable[[list[Sequence]], "Ints"]
"""Where each sequence's last token was drawn to; -1 for those whose token the host knows."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One step: numbers of each row [N], what the attention is planned from, and whose tokens are drawn."""

    token_ids: Ints
    positions: Ints
    slots: Ints
    feed: Ints
    layouts: list[SequenceLayout]
    ahead: list[int]
    """Slots at the end of each layout that hold no token yet; empty for none."""
    sampled: list[Sequence]
    at: list[int]
    """The row of each of `sampled`."""

    @classmethod
    def of(cls, work: list[Work], feed: Feed) -> Rows:
        """Of any step."""
        packed = pack(work)
        fed = np.full(len(packed.token_ids), -1, np.int32)
        fed[packed.logit_rows] = feed(packed.sampled)
        return cls(
            packed.token_ids.astype(np.int32),
            packed.positions.astype(np.int32),
            packed.slots.astype(np.int32),
            fed,
            packed.layouts,
            [],
            packed.sampled,
            packed.logit_rows,
        )

    def __len__(self) -> int:
        return len(self.token_ids)
