"""Gemini's JSON as we read it: only the fields that somebody here looks at, each of them optional as theirs are."""

from __future__ import annotations

from typing import Any

import msgspec


class FunctionCall(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    args: msgspec.Raw = msgspec.Raw(b"{}")
    id: str | None = None


class Part(msgspec.Struct, frozen=True, rename="camel"):
    """A piece of content: a text, a thought or a call. Kinds that nobody asked for have none of these."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None


class Content(msgspec.Struct, frozen=True, rename="camel"):
    parts: tuple[Part, ...] | None = None


class Likely(msgspec.Struct, frozen=True, rename="camel"):
    token: str = ""
    log_probability: float | None = None


class LikelyAt(msgspec.Struct, frozen=True, rename="camel"):
    candidates: tuple[Likely, ...] | None = None


class Logprobs(msgspec.Struct, frozen=True, rename="camel"):
    """`chosen_candidates` and `top_candidates` have one entry for each token."""

    chosen_candidates: tuple[Likely, ...] | None = None
    top_candidates: tuple[LikelyAt, ...] | None = None


class Candidate(msgspec.Struct, frozen=True, rename="camel"):
    """One of the answers, or the next piece of one."""

    index: int | None = None
    content: Content | None = None
    finish_reason: str | None = None
    logprobs_result: Logprobs | None = None


class PromptFeedback(msgspec.Struct, frozen=True, rename="camel"):
    block_reason: str | None = None


class UsageMetadata(msgspec.Struct, frozen=True, rename="camel"):
    """Counts so far. `prompt_token_count` has the cached ones in it and the tool's prompts not; thoughts are beside the
    candidates. The counts by modality are parts of these, not on top of them, so nobody reads them."""

    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None


class Status(msgspec.Struct, frozen=True):
    """Google's error. Every one of `details` has its type's URL under `@type`."""

    code: int | None = None
    message: str = ""
    status: str = ""
    details: tuple[dict[str, Any], ...] | None = None


class Failure(msgspec.Struct, frozen=True):
    error: Status


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """A whole answer, or one event of a stream; `error` where a stream fails after it began."""

    candidates: tuple[Candidate, ...] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: UsageMetadata | None = None
    error: Status | None = None


class Counted(msgspec.Struct, frozen=True, rename="camel"):
    total_tokens: int


class Embedding(msgspec.Struct, frozen=True):
    values: list[float]


class Embeddings(msgspec.Struct, frozen=True, rename="camel"):
    embeddings: tuple[Embedding, ...]
    usage_metadata: UsageMetadata | None = None
