"""The attention backend of a process: compiled where it was built, else torch."""

from __future__ import annotations

from radixa.attention.base import AttentionBackend, TreeMode


def make_attention(mode: TreeMode = "auto", prefer_native: bool = True) -> AttentionBackend:
    """A backend whose `name` says which it is."""
    from radixa.attention.torch_backend import TorchAttention
    from radixa.kernels.library import load_library

    library = load_library() if prefer_native else None
    if library is None:
        return TorchAttention(mode)
    from radixa.attention.native_backend import NativeAttention

    return NativeAttention(library, mode)
