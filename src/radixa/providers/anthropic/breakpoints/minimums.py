"""The least that Anthropic keeps, by model: a breakpoint below it is no error, it just does nothing."""

from __future__ import annotations

_BY_FAMILY: tuple[tuple[str, int], ...] = (
    ("haiku-4-5", 4_096),
    ("opus-4-5", 4_096),
    ("opus-4-6", 4_096),
    # Sources differ on this one.
    ("opus-4-7", 2_048),
    ("3-haiku", 2_048),
    ("3-5-haiku", 2_048),
    ("haiku-3", 2_048),
    ("opus-5", 512),
    ("fable-5", 512),
    ("mythos-5", 512),
)
_ELSE = 1_024


def least_tokens(model: str) -> int:
    """Tokens that a prompt must have up to a breakpoint; for a model that nobody has heard of, what most models ask."""
    for family, tokens in _BY_FAMILY:
        if family in model:
            return tokens
    return _ELSE
