"""What the background thread counts; only it writes, and whoever reads may be a moment behind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from radixa.kv.tiers.base import DropReason


@dataclass(slots=True)
class Counters:
    """As in `TierStats`."""

    bytes: int = 0
    written_blocks: int = 0
    written_bytes: int = 0
    write_seconds: float = 0.0
    loaded_blocks: int = 0
    loaded_bytes: int = 0
    load_seconds: float = 0.0
    evicted_blocks: int = 0
    deleted_blocks: int = 0
    adopted_blocks: int = 0
    orphaned_blocks: int = 0
    write_errors: int = 0
    index_rebuilds: int = 0
    dropped: Counter[DropReason] = field(default_factory=Counter)
