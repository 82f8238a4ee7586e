"""The tier that is off."""

from __future__ import annotations

from collections.abc import Sequence

from radixa.kv.tiers.base import BlockJob, Deleted, Kind, Loaded, Result, Target, TierStats


class NoTier:
    """Nothing is named, found, written or loaded (`base.Tier`)."""

    kind: Kind = "disk"

    def __init__(self) -> None:
        self._results: list[Result] = []

    def seed(self, namespace: str) -> bytes:
        return b""

    def names(self, namespace: str, key: bytes, known: Sequence[bytes] = ()) -> list[bytes]:
        return []

    def lookup(self, names: Sequence[bytes], start: int = 0) -> int:
        return 0

    def alone(self, names: Sequence[bytes]) -> int:
        return 0

    def write(self, job: BlockJob) -> bool:
        return False

    def load(self, job: BlockJob) -> None:
        self._results.append(Loaded(job, 0, 0, 0.0))

    def cancel(self, job: BlockJob) -> None:
        """There is never one that was not reported."""

    def worth_loading(self, size: int, tokens: int, prefill_speed: float) -> bool:
        return False

    def delete(self, target: Target) -> int:
        self._results.append(Deleted(target, 0))
        return 0

    def usage(self, namespace: str) -> tuple[int, int]:
        return 0, 0

    def finished(self) -> list[Result]:
        found, self._results = self._results, []
        return found

    def stats(self) -> TierStats:
        return TierStats()

    def flush(self, timeout: float) -> bool:
        return True

    def close(self) -> None:
        """There is nothing open."""
