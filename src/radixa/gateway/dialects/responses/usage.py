"""Usage as OpenAI's responses count it."""

from __future__ import annotations

import msgspec

from radixa.gateway.usage import CompletionDetails, PromptDetails, RadixaUsage, UsageBody


class ResponsesUsage(msgspec.Struct, frozen=True):
    input_tokens: int
    input_tokens_details: PromptDetails
    output_tokens: int
    output_tokens_details: CompletionDetails
    total_tokens: int
    cached_tokens: int
    radixa: RadixaUsage


def responses_usage(body: UsageBody) -> ResponsesUsage:
    return ResponsesUsage(
        input_tokens=body.prompt_tokens,
        input_tokens_details=body.prompt_tokens_details,
        output_tokens=body.completion_tokens,
        output_tokens_details=body.completion_tokens_details,
        total_tokens=body.total_tokens,
        cached_tokens=body.cached_tokens,
        radixa=body.radixa,
    )
