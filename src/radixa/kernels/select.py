"""The decoder's operations: compiled where they were built, else torch."""

from __future__ import annotations

from radixa.kernels.base import Ops


def make_ops(prefer_native: bool = True) -> Ops:
    """Operations whose `name` says which they are."""
    from radixa.kernels.library import load_library
    from radixa.kernels.torch_ops import TorchOps

    library = load_library() if prefer_native else None
    if library is None:
        return TorchOps()
    from radixa.kernels.native import NativeOps

    return NativeOps(library)
