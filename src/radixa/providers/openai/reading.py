"""What every reader of an upstream's answers shares: the reason of an end, log-probabilities, the sum at the end."""

from __future__ import annotations

from typing import Protocol

import msgspec

from radixa.core.base import FinishReason, GenerateChunk, TextLogprob, Usage
from radixa.core.errors import RadixaError, UpstreamError
from radixa.providers.openai.errors import ErrorFields, explained, fields_of
from radixa.providers.openai.usage import completed, estimated
from radixa.providers.size import utf8_bytes
from radixa.providers.upstream.refusals import Account
from radixa.providers.upstream.sse import ServerEvent
from radixa.providers.upstream.unreadable import UNREADABLE

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    # DeepSeek's, OpenRouter's, SGLang's and vLLM's words for a failure.
    "insufficient_system_resource": "error",
    "error": "error",
    "abort": "error",
}


def finish_reason(given: str | None) -> FinishReason | None:
    """Words that no one else has are some way to say that the model was done."""
    return None if given is None else _REASONS.get(given, "stop")


class Reader(Protocol):
    """Reads one answer of an upstream."""

    def last(self, event: ServerEvent) -> bool:
        """Whether nothing comes after this event."""
        ...

    def read(self, event: ServerEvent) -> list[GenerateChunk]:
        """What an event of the stream holds. UpstreamError for one that cannot be read, or that says so."""
        ...

    def end(self) -> list[GenerateChunk]:
        """The last chunk, with the usage, once the stream has ended. UpstreamError where that came too early."""
        ...

    @property
    def complete(self) -> bool:
        """Whether all answers have come to their end."""
        ...

    def whole(self, body: bytes) -> GenerateChunk:
        """An answer that is not a stream."""
        ...


class Answer:
    """What is known of an answer while it comes. `sent` is the prompt's JSON."""

    def __init__(self, account: Account, sent: bytes) -> None:
        self.name = account.name
        self.begun = False
        """Something of it was handed on."""
        self.delivered = 0
        """Bytes of text, thoughts and calls."""
        self.usage: Usage | None = None
        self._account = account
        self._sent = sent

    def count(self, text: str) -> None:
        self.delivered += utf8_bytes(text)

    def final(self) -> Usage:
        """The usage for the last chunk: the upstream's, or an estimate."""
        return estimated(self._sent, self.delivered) if self.usage is None else completed(self.usage, self.delivered)

    def failed(self, raw: bytes) -> RadixaError:
        """An error's JSON in the middle of a stream, or in an answer of status 200."""
        try:
            found = fields_of(msgspec.json.decode(raw))
        except UNREADABLE:
            found = ErrorFields()
        if self.begun:
            said = self._account.shown(found.message)
            return UpstreamError(f"{self.name} broke off its answer: {said or 'it did not say why'}", retryable=False)
        return explained(self._account, _status(found), found, {})

    def unreadable(self, what: str) -> UpstreamError:
        return UpstreamError(f"{self.name} sent {what}.", retryable=not self.begun)

    def early(self) -> UpstreamError:
        return UpstreamError(f"{self.name} ended its answer before it was complete.", retryable=not self.begun)


def _status(found: ErrorFields) -> int:
    if found.status is not None:
        return found.status
    if found.code == "rate_limit_exceeded" or found.type in ("requests", "tokens"):
        return 429
    return 400 if found.type == "invalid_request_error" else 502


class ChatToken(msgspec.Struct, frozen=True):
    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    top_logprobs: list[ChatToken] | None = None


class ChatLogprobs(msgspec.Struct, frozen=True):
    content: list[ChatToken] | None = None


class TextLogprobs(msgspec.Struct, frozen=True):
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


def chat_logprobs(found: ChatLogprobs | None) -> tuple[TextLogprob, ...] | None:
    if found is None or found.content is None:
        return None
    return tuple(
        TextLogprob(_bytes(one), one.logprob, tuple((_bytes(top), top.logprob) for top in one.top_logprobs or ()))
        for one in found.content
    )


def text_logprobs(found: TextLogprobs | None) -> tuple[TextLogprob, ...] | None:
    if found is None or found.tokens is None:
        return None
    values, tops = found.token_logprobs or [], found.top_logprobs or []
    return tuple(
        TextLogprob(
            token.encode(),
            (values[i] or 0.0) if i < len(values) else 0.0,
            tuple((text.encode(), value) for text, value in (tops[i] or {}).items()) if i < len(tops) else (),
        )
        for i, token in enumerate(found.tokens)
    )


def _bytes(token: ChatToken) -> bytes:
    try:
        return token.token.encode() if token.bytes is None else bytes(token.bytes)
    except ValueError:
        return token.token.encode()
