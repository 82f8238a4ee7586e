"""Blocks in the host's memory, pinned, and asynchronous copies between them and the slots of a GPU.

Copies run on a stream of their own. One waits for what the computing stream was given before it: what a write reads is
computed, and nothing that was launched still writes to the slots that a load fills. On a CPU the same copies are plain.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch

from radixa.kv.runs import Runs
from radixa.kv.storage import KVStorage
from radixa.kv.tiers.base import BLOCK_TOKENS, Fingerprint

if TYPE_CHECKING:
    from torch import Tensor

TOGETHER = 8
"""Blocks that are gathered at a time, in memory of the device."""


class Pinned:
    """Places for `blocks` blocks, each [2, layers, kv_heads, BLOCK_TOKENS, head_size]."""

    def __init__(self, storage: KVStorage, fingerprint: Fingerprint, blocks: int) -> None:
        self._storage = storage
        cuda = storage.k.is_cuda
        self._places = torch.empty((blocks, *fingerprint.shape), dtype=storage.k.dtype, pin_memory=cuda)
        self._stream = torch.cuda.Stream() if cuda else None  # type: ignore[no-untyped-call]

    def store(self, runs: Runs, places: list[int]) -> torch.cuda.Event | None:
        """Queue copies of whole blocks in slots to places; when they are over, None for now."""
        with self._apart():
            for first in range(0, len(places), TOGETHER):
                part = places[first : first + TOGETHER]
                slots = self._slots(runs, first, len(part))
                for side, tensor in enumerate((self._storage.k, self._storage.v)):
                    blocks = torch.split(tensor[:, :, slots], BLOCK_TOKENS, dim=2)
                    for block, place in zip(blocks, part, strict=True):
                        self._places[place, side].copy_(block, non_blocking=True)
            return self._done()

    def fetch(self, places: list[int], runs: Runs) -> torch.cuda.Event | None:
        """Queue copies from places into slots."""
        with self._apart():
            for first in range(0, len(places), TOGETHER):
                part = places[first : first + TOGETHER]
                slots = self._slots(runs, first, len(part))
                for side, tensor in enumerate((self._storage.k, self._storage.v)):
                    blocks = [self._places[place, side].to(tensor.device, non_blocking=True) for place in part]
                    tensor[:, :, slots] = torch.cat(blocks, dim=2)
            return self._done()

    def _apart(self) -> Any:
        """On the stream of the copies, behind what was launched so far."""
        if self._stream is None:
            return nullcontext()
        self._stream.wait_stream(torch.cuda.current_stream())
        return torch.cuda.stream(self._stream)

    def _done(self) -> torch.cuda.Event | None:
        if self._stream is None:
            return None
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(self._stream)
        return done

    def _slots(self, runs: Runs, first: int, blocks: int) -> Tensor:
        """The slots of the blocks from index `first` on."""
        every = torch.cat([torch.arange(start, start + length) for start, length in runs])
        part = every[first * BLOCK_TOKENS : (first + blocks) * BLOCK_TOKENS]
        if self._stream is None:
            return part
        return part.pin_memory().to(self._storage.k.device, non_blocking=True)
