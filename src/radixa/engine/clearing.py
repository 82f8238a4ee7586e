"""A flush of the tier beneath the cache, while it is under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from radixa.kv.tiers.base import BLOCK_TOKENS, BlockJob, Target, Tier


@dataclass(eq=False, slots=True)
class Deletion:
    """What the tier was told to remove."""

    target: Target
    blocks: int | None = None
    """Blocks that are gone; None until they are."""


@dataclass(frozen=True, slots=True)
class Clearing:
    """`jobs` lock what is to go, or are just bringing it up; `under_way` says whether one of them is not over yet."""

    tier: Tier
    jobs: frozenset[BlockJob]
    under_way: Callable[[frozenset[BlockJob]], bool]
    deletion: Deletion

    @property
    def unlocked(self) -> bool:
        return not self.under_way(self.jobs)

    @property
    def over(self) -> bool:
        """Whether the files are gone as well."""
        return self.deletion.blocks is not None

    @property
    def tokens_below(self) -> tuple[int, int]:
        """Tokens whose blocks are gone from the host's memory, and from disk, there of whatever model."""
        tokens = (self.deletion.blocks or 0) * BLOCK_TOKENS
        return (tokens, 0) if self.tier.kind == "host" else (0, tokens)


def target(tier: Tier, namespace: str | None, session: str | None, prefix: bytes | None) -> Target:
    """What a flush removes from `tier`.

    There a prefix ends with its last whole block, so what shares that goes as well; one of less than a block takes all
    of its namespace's blocks along.
    """
    if prefix is None:
        return Target(namespace, session)
    names = tier.names(namespace or "", prefix)
    if not names:
        return Target(prefix=tier.seed(namespace or ""))
    return Target(prefix=names[tier.alone(names)])
