"""Copies between slots and a block's K and V.

By numpy and not by torch: torch would spread each copy over all threads of the computation that it runs beside, and
whose thread count is one setting for the whole process. numpy copies in this thread alone and without the interpreter's
lock. Elements are moved as integers of their size, so every dtype keeps its bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from radixa.kv.runs import Runs
from radixa.kv.tiers.base import BLOCK_TOKENS, ITEMSIZE, Fingerprint

if TYPE_CHECKING:
    import torch

    from radixa.kv.storage import KVStorage

Bits = npt.NDArray[Any]


class BlockBuffer:
    """Room for one block's K and V: `data` as bytes, `bits` as `Fingerprint.shape`."""

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.data = memoryview(bytearray(fingerprint.payload_bytes))
        self.bits: Bits = np.frombuffer(self.data, f"u{ITEMSIZE[fingerprint.dtype]}").reshape(fingerprint.shape)


class Slots:
    """A storage's slots as integers, over the storage's own memory. ValueError where it is not the fingerprint's or
    does not lie in the host's memory."""

    def __init__(self, storage: KVStorage, fingerprint: Fingerprint) -> None:
        layers, kv_heads, _, head_size = storage.k.shape
        shape = (layers, kv_heads, head_size, str(storage.k.dtype).removeprefix("torch."))
        wanted = (fingerprint.layers, fingerprint.kv_heads, fingerprint.head_size, fingerprint.dtype)
        if shape != wanted:
            raise ValueError(f"the storage has layers, kv heads, head size and dtype {shape}, the fingerprint {wanted}")
        self._sides = (_bits(storage.k), _bits(storage.v))

    def gather(self, runs: Runs, buffer: BlockBuffer) -> None:
        """Copy the block in these slots into the buffer."""
        at = 0
        for start, length in runs:
            for side, bits in zip(self._sides, buffer.bits, strict=True):
                bits[:, :, at : at + length] = side[:, :, start : start + length]
            at += length
        assert at == BLOCK_TOKENS, f"a block in {at} slots"

    def scatter(self, buffer: BlockBuffer, runs: Runs) -> None:
        """Copy the block in the buffer into these slots."""
        at = 0
        for start, length in runs:
            for side, bits in zip(self._sides, buffer.bits, strict=True):
                side[:, :, start : start + length] = bits[:, :, at : at + length]
            at += length
        assert at == BLOCK_TOKENS, f"a block in {at} slots"


def _bits(tensor: torch.Tensor) -> Bits:
    import torch

    if tensor.device.type != "cpu":
        raise ValueError(f"the storage lies on {tensor.device}, expected the CPU")
    integers = {2: torch.int16, 4: torch.int32}[tensor.element_size()]
    return tensor.view(integers).numpy().view(f"u{tensor.element_size()}")
