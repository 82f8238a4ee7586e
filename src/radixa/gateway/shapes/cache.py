"""The cache's counters and nodes as the API tells them, in tokens where nothing else is said."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from radixa.gateway.nodes import NodeBody


class CountersShape(msgspec.Struct, frozen=True, kw_only=True):
    """Of answered requests, since the server started."""

    requests: int
    prompt_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    completion_tokens: int


class EngineWorkShape(msgspec.Struct, frozen=True, kw_only=True):
    """For administrators."""

    computed_tokens: int
    evicted_tokens: int
    wanted_tokens: int
    retractions: int


class RetentionShape(msgspec.Struct, frozen=True, kw_only=True):
    """For administrators."""

    used: int
    budget: int
    expired_tokens: int
    yielded_tokens: int


class DeviceShape(msgspec.Struct, frozen=True, kw_only=True):
    """All but `capacity` and `used` for administrators; `nodes` is their number."""

    capacity: int
    used: int
    free: int | UnsetType = UNSET
    tree: int | UnsetType = UNSET
    leased: int | UnsetType = UNSET
    evictable: int | UnsetType = UNSET
    nodes: int | UnsetType = UNSET


class TierShape(msgspec.Struct, frozen=True, kw_only=True):
    """Below the device. All but `capacity` and `used` for administrators; `used` is null where it is not known whose
    it is, `disabled` says why nothing is written for now."""

    capacity: int
    used: int | None
    capacity_bytes: int | UnsetType = UNSET
    used_bytes: int | UnsetType = UNSET
    blocks: int | UnsetType = UNSET
    queued_bytes: int | UnsetType = UNSET
    disabled: str | UnsetType | None = UNSET


class TiersShape(msgspec.Struct, frozen=True):
    device: DeviceShape
    host: TierShape
    disk: TierShape


class NamespaceShape(msgspec.Struct, frozen=True):
    """Null where that tier does not know whose its blocks are."""

    device: int
    host: int | None
    disk: int | None


class CacheShape(msgspec.Struct, frozen=True, kw_only=True):
    object: Literal["cache"]
    model: str
    mode: Literal["radix", "force_miss", "none"]
    scope: str
    """`all`, or the account whose figures these are."""
    bytes_per_token: int
    counters: CountersShape
    engine: EngineWorkShape | UnsetType = UNSET
    retention: RetentionShape | UnsetType = UNSET
    tiers: TiersShape
    namespaces: dict[str, NamespaceShape]


class TreeShape(msgspec.Struct, frozen=True):
    """A page of the tree; `next` is where the one after it begins."""

    object: Literal["list"]
    data: list[NodeBody]
    has_more: bool
    next: int | None
