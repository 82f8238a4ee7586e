"""The types that cross package borders.

They are frozen msgspec structs: the same object is what a caller builds, what travels over the engine's socket and
what a test compares. Token ids are `bytes` of little-endian int32 everywhere outside the model (`tokens.py`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

FinishReason = Literal["stop", "length", "abort", "error"]
"""Why an answer ended: a stop token or string, the token limit, the client left, the engine failed."""


class SamplingParams(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the next token is chosen. Defaults are OpenAI's; ranges are checked where a request enters (the gateway)."""

    max_tokens: int = 512
    temperature: float = 1.0
    """0 takes the most likely token."""
    top_p: float = 1.0
    top_k: int = 0
    """0 keeps every token."""
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    logprobs: int | None = None
    """Alternatives reported per token, 0 for the chosen token alone; None reports none."""
    logit_bias: dict[int, float] = {}


class CachePolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a request may do with the prefix cache: the one form all cache wishes of CONTRACT 3.1 take inside."""

    read: bool = True
    write: bool = True


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn of a conversation, text only; `name` is passed to the chat template."""

    role: str
    content: str
    name: str | None = None


class GenerateRequest(msgspec.Struct, frozen=True):
    """A request after the gateway has understood it: whatever API it came through, a provider sees this.

    Exactly one of `messages`, `prompt` and `token_ids` is set.
    """

    request_id: str
    model: str
    namespace: str
    """Whose cache entries may be seen: `"account"` or `"account/salt"`."""
    sampling: SamplingParams
    cache: CachePolicy
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    token_ids: bytes | None = None
    n: int = 1
    """Answers wanted; their chunks carry `index` 0 to n - 1."""
    open_ended: bool = False
    """The caller named no `max_tokens`: what `sampling` says is our default, and gives way to the model's context."""


class TokenLogprob(msgspec.Struct, frozen=True):
    """A token's log-probability (natural log, before temperature) and its likeliest alternatives."""

    token_id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


class Usage(msgspec.Struct, frozen=True, omit_defaults=False):
    """Counts that add up: `prompt = cached + written + plain`, each at least 0 (law 5)."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens whose KV was reused."""
    cache_write_tokens: int = 0
    """Prompt tokens newly kept in the tree."""
    completion_tokens: int = 0

    @property
    def plain_tokens(self) -> int:
        return self.prompt_tokens - self.cached_tokens - self.cache_write_tokens

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class GenerateChunk(msgspec.Struct, frozen=True):
    """A piece of one answer. The last chunk of each answer has a `finish_reason` and its `usage`."""

    index: int
    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
