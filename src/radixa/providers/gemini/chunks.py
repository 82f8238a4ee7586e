"""Gemini's answers as chunks, from a stream's events or from one whole answer."""

from __future__ import annotations

from collections.abc import Iterator

from radixa.core.base import FinishReason, GenerateChunk, TextLogprob, ToolCallDelta, Usage
from radixa.core.errors import UpstreamError
from radixa.providers.gemini.signatures import call_id, marked
from radixa.providers.gemini.usage import later, usage_of
from radixa.providers.gemini.wire import Answer, Candidate, LikelyAt, Logprobs, Part, UsageMetadata
from radixa.providers.size import estimated_tokens, utf8_bytes

_REASONS: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "MALFORMED_FUNCTION_CALL": "error",
    "MALFORMED_RESPONSE": "error",
    "MISSING_THOUGHT_SIGNATURE": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "UNEXPECTED_TOOL_CALL": "error",
}
"""All others, those of tomorrow too, say why the rest was withheld."""


class Reader:
    """Turns `n` answers' events into chunks. `finish` gives the last ones, once the upstream has said all."""

    def __init__(self, name: str, n: int, sent: int) -> None:
        """`name`: the provider's; `sent`: bytes of the request's text, by which it is estimated where nobody counts."""
        self._name = name
        self._n = n
        self._sent = sent
        self._delivered = 0
        """Bytes of text, thoughts and calls."""
        self._calls = [0] * n
        """Tool calls by answer."""
        self._reasons: list[FinishReason | None] = [None] * n
        self._usage: UsageMetadata | None = None
        self.begun = False
        """Whether any chunk was made."""

    def read(self, answer: Answer) -> Iterator[GenerateChunk]:
        """The chunks of one event. UpstreamError for an answer that nobody asked for."""
        self._usage = later(self._usage, answer.usage_metadata)
        blocked = answer.prompt_feedback is not None and answer.prompt_feedback.block_reason is not None
        if blocked and not answer.candidates:
            self._reasons = ["content_filter"] * self._n
        for candidate in answer.candidates or ():
            index = candidate.index or 0
            if not 0 <= index < self._n:
                raise UpstreamError(
                    f"{self._name} gave an answer {index}, and {self._n} were asked for.", retryable=not self.begun
                )
            for chunk in self._pieces(index, candidate):
                self.begun = True
                yield chunk
            if candidate.finish_reason is not None:
                self._reasons[index] = _REASONS.get(candidate.finish_reason, "content_filter")

    def finish(self) -> Iterator[GenerateChunk]:
        """Every answer's end, the first's with the usage last. UpstreamError where one has none: it was cut off."""
        for index in reversed(range(self._n)):
            reason = self._reasons[index]
            if reason is None:
                raise UpstreamError(f"{self._name} ended its answer before it was complete.", retryable=not self.begun)
            if reason == "stop" and self._calls[index]:
                reason = "tool_calls"
            yield GenerateChunk(index=index, finish_reason=reason, usage=None if index else self._total())

    def _total(self) -> Usage:
        if self._usage is not None:
            return usage_of(self._usage)
        return Usage(
            prompt_tokens=estimated_tokens(self._sent),
            completion_tokens=estimated_tokens(self._delivered),
            estimated=True,
        )

    def _pieces(self, index: int, candidate: Candidate) -> Iterator[GenerateChunk]:
        for part in (candidate.content.parts if candidate.content else None) or ():
            yield from self._piece(index, part)
        if candidate.logprobs_result is not None:
            yield GenerateChunk(index=index, logprobs=_logprobs(candidate.logprobs_result))

    def _piece(self, index: int, part: Part) -> Iterator[GenerateChunk]:
        if part.function_call is not None:
            call = part.function_call
            arguments = bytes(call.args).decode()
            self._delivered += utf8_bytes(call.name) + utf8_bytes(arguments)
            position = self._calls[index]
            self._calls[index] += 1
            delta = ToolCallDelta(position, call_id(call.id, part.thought_signature), call.name, arguments)
            yield GenerateChunk(index=index, tool_calls=(delta,))
        elif part.thought:
            self._delivered += utf8_bytes(part.text or "")
            signature = marked(part.thought_signature) if part.thought_signature else ""
            yield GenerateChunk(index=index, reasoning=part.text or "", signature=signature)
        elif part.text:
            # A signature beside plain text is one that need not come back.
            self._delivered += utf8_bytes(part.text)
            yield GenerateChunk(index=index, text=part.text)


def _logprobs(found: Logprobs) -> tuple[TextLogprob, ...]:
    """Each token's own, with the alternatives where there are any."""
    chosen = found.chosen_candidates or ()
    top = found.top_candidates or (LikelyAt(),) * len(chosen)
    return tuple(
        TextLogprob(
            token.token.encode(),
            token.log_probability or 0.0,
            tuple((other.token.encode(), other.log_probability or 0.0) for other in beside.candidates or ()),
        )
        for token, beside in zip(chosen, top, strict=False)
    )
