"""The decoder's operations: compiled where they were built, else torch."""

from __future__ import annotations

from radixa.kernels.base import Ops


def make_ops(prefer_native: bool = True) -> Ops:
    """Operations whose `name` says which they are."""
    from radixa.kernels.torch_ops import TorchOps

    return TorchOps()
