"""What requests leave in the tree, on its way to the tier beneath it.

A path stays locked until its blocks are written, unless a request needs the room, which always comes first.
"""

from __future__ import annotations

import time

from radixa.core.tokens import TOKEN_BYTES
from radixa.engine.sequence import Sequence
from radixa.kv import runs
from radixa.kv.base import Lease, PrefixCache, SlotRun
from radixa.kv.tiers.base import BLOCK_BYTES, BLOCK_TOKENS, BlockJob, Tier
from radixa.radix import Keep

_YEAR_SECONDS = 365 * 86_400.0


class WriteBehind:
    """Owns the writes that are under way, and the leases that lock their slots."""

    def __init__(self, cache: PrefixCache, tier: Tier) -> None:
        self.jobs: dict[BlockJob, Lease] = {}
        self._cache = cache
        self._tier = tier
        self._cancelled: set[BlockJob] = set()
        """Those that are to stop and have not yet."""

    def keep(self, lease: Lease, key: bytes, sequence: Sequence) -> None:
        """Write the path of `lease`, which is settled, and release it when that is done."""
        cache = sequence.request.cache
        namespace = sequence.request.namespace
        names = tuple(self._tier.names(namespace, key[: lease.held * TOKEN_BYTES], sequence.blocks))
        start = self._tier.lookup(names)
        if names:
            end = len(names) * BLOCK_TOKENS
            slots = tuple(SlotRun(segment.start, segment.length) for segment in lease.segments(end))
            job = BlockJob(
                namespace,
                names,
                start,
                key[start * BLOCK_BYTES : len(names) * BLOCK_BYTES],
                runs.split(slots, start * BLOCK_TOKENS)[1],
                cache.session or None,
                _until(sequence.keep),
            )
            # Where all is on disk already, the job only says that it was used, and needs no slots.
            if self._tier.write(job) and start < len(names):
                self.jobs[job] = lease
                return
        self._cache.release(lease)

    def newest(self) -> list[BlockJob]:
        """Those that are not cancelled, the newest first."""
        return [job for job in reversed(self.jobs) if job not in self._cancelled]

    def cancel(self, job: BlockJob) -> None:
        self._cancelled.add(job)
        self._tier.cancel(job)

    def ended(self, job: BlockJob) -> None:
        """The tier is done with it, whether all of it was written or not."""
        self._cancelled.discard(job)
        lease = self.jobs.pop(job, None)
        if lease is not None:
            self._cache.release(lease)


def _until(keep: Keep | None) -> float | None:
    """Until when, in seconds since the epoch, what is kept goes last on disk; for ever is a year."""
    return None if keep is None else time.time() + min(keep.lasts, _YEAR_SECONDS)
