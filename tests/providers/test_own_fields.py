"""What upstreams are not to see is what the gateway takes."""

from __future__ import annotations

from radixa.gateway.wishes import CacheWishes
from radixa.providers.own_fields import OPENAI_CACHE_FIELDS, OWN_FIELDS


def test_every_wish_is_ours_or_openais() -> None:
    # Of `cache_control`, one word is ours and an object Anthropic's: providers tell them apart.
    assert {*OWN_FIELDS, *OPENAI_CACHE_FIELDS, "cache_control"} == {*CacheWishes.__struct_fields__}
