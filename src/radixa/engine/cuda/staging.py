"""A step's numbers on their way to the device, and drawn tokens on their way back: asynchronous, by pinned memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Ints = NDArray[np.int32]

FIELDS = 4
"""Of each row: token id, position, slot, and the place in `drawn` of the token to take instead of the id, or -1."""

IN_FLIGHT = 3
"""Buffers in the host's memory: one that is being filled while steps that use two others are under way."""


class Staging:
    """One buffer on the device that each step's numbers go to, always at the same address."""

    def __init__(self, rows: int, device: torch.device) -> None:
        self._device = torch.zeros(FIELDS * rows, dtype=torch.int32, device=device)
        self._host = [torch.zeros(FIELDS * rows, dtype=torch.int32, pin_memory=True) for _ in range(IN_FLIGHT)]
        self._copied = [event() for _ in range(IN_FLIGHT)]
        self._turn = 0

    def send(self, token_ids: Ints, positions: Ints, slots: Ints, feed: Ints, rows: int, dummy: int) -> None:
        """Queue the copy of a step's numbers, padded to `rows` rows which write to slot `dummy` and see nothing."""
        turn = self._turn = (self._turn + 1) % IN_FLIGHT
        # Waits only where the host is further ahead than the loop ever is.
        self._copied[turn].synchronize()
        given = len(token_ids)
        numbers: Ints = self._host[turn].numpy()[: FIELDS * rows].reshape(FIELDS, rows)
        for field, (values, padding) in enumerate(((token_ids, 0), (positions, -1), (slots, dummy), (feed, -1))):
            numbers[field, :given] = values
            numbers[field, given:] = padding
        self._device[: FIELDS * rows].copy_(self._host[turn][: FIELDS * rows], non_blocking=True)
        self._copied[turn].record()

    def fields(self, rows: int) -> list[Tensor]:
        """The four fields on the device, each [rows] int32: views, the same for each number of rows."""
        return [self._device[field * rows : (field + 1) * rows] for field in range(FIELDS)]


class Readback:
    """Drawn tokens in the host's memory, a step after they were drawn."""

    def __init__(self, rows: int) -> None:
        self._host = [torch.zeros(rows, dtype=torch.int32, pin_memory=True) for _ in range(IN_FLIGHT)]
        self._turn = 0

    def fetch(self, drawn: Tensor) -> tuple[Tensor, torch.cuda.Event]:
        """Queue the copy of drawn [N] int32; what it goes to, and when it is there. Good for two more fetches."""
        self._turn = (self._turn + 1) % IN_FLIGHT
        host = self._host[self._turn][: drawn.shape[0]]
        host.copy_(drawn, non_blocking=True)
        done = event()
        done.record()
        return host, done


def event() -> torch.cuda.Event:
    """A place in the stream's order, with its time."""
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
