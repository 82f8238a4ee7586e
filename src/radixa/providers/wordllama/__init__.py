"""A small embedding model that the package `wordllama` ships, answered in this process. Start at `provider.py`."""

from radixa.providers.wordllama.base import MODEL, PROVIDER

__all__ = ["MODEL", "PROVIDER"]
