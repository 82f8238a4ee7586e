"""What OpenAI's generations of models take to steer the prompt cache.

Mark [S] is what OpenAI's documentation says in part; a model that is not listed is sent nothing of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Generation(NamedTuple):
    retention_24h: bool = False
    """`prompt_cache_retention: "24h"`."""
    breakpoints: bool = False
    """`prompt_cache_options`, and `prompt_cache_breakpoint` on parts of the prompt."""


_PLAIN = Generation()
_BREAKPOINTS_FROM = (5, 6)
_VERSION = re.compile(r"gpt-(\d+)(?:\.(\d+))?(?![\d.])([\w.-]*)", re.ASCII)
_SMALL = re.compile(r"-(?:mini|nano)\b")


def generation(model: str) -> Generation:
    """By the model's name, with or without a date or a vendor before it."""
    found = _VERSION.match(model.rpartition("/")[2])
    if found is None:
        return _PLAIN
    version, rest = (int(found[1]), int(found[2] or 0)), found[3]
    if version >= _BREAKPOINTS_FROM:
        return Generation(breakpoints=True)
    if version >= (5, 0):
        # [S] all of gpt-5 to gpt-5.5, of the small ones only gpt-5.1-codex-mini.
        return Generation(retention_24h=not _SMALL.search(rest) or rest.startswith("-codex"))
    # [S] of the older ones gpt-4.1 alone.
    return Generation(retention_24h=version == (4, 1) and not _SMALL.search(rest))
