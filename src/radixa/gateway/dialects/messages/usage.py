"""Usage in Anthropic's counts: `input_tokens` are only those that were neither read from a cache nor written to one."""

from __future__ import annotations

import msgspec

from radixa.core.base import Usage
from radixa.gateway.usage import RadixaUsage


class CacheCreation(msgspec.Struct, frozen=True):
    ephemeral_5m_input_tokens: int
    ephemeral_1h_input_tokens: int


class OutputDetails(msgspec.Struct, frozen=True):
    thinking_tokens: int


class MessagesUsage(msgspec.Struct, frozen=True):
    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    cache_creation: CacheCreation
    output_tokens: int
    output_tokens_details: OutputDetails
    radixa: RadixaUsage | msgspec.UnsetType = msgspec.UNSET
    """Absent where the answer has only begun."""


def messages_usage(usage: Usage, radixa: RadixaUsage | msgspec.UnsetType = msgspec.UNSET) -> MessagesUsage:
    return MessagesUsage(
        input_tokens=usage.plain_tokens,
        cache_creation_input_tokens=usage.cache_write_tokens,
        cache_read_input_tokens=usage.cached_tokens,
        cache_creation=CacheCreation(usage.cache_write_tokens - usage.long_write_tokens, usage.long_write_tokens),
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputDetails(usage.reasoning_tokens),
        radixa=radixa,
    )
