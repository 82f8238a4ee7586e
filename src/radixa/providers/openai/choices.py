"""Answers in the shape that chat and text completions share: `choices`, then the usage, then `[DONE]`."""

from __future__ import annotations

import msgspec

from radixa.core.base import Dialect, GenerateChunk, TextLogprob, ToolCallDelta
from radixa.providers.openai.reading import (
    Answer,
    ChatLogprobs,
    TextLogprobs,
    chat_logprobs,
    finish_reason,
    text_logprobs,
)
from radixa.providers.openai.usage import read_usage
from radixa.providers.upstream.sse import ServerEvent
from radixa.providers.upstream.unreadable import UNREADABLE

DONE = b"[DONE]"
_NOTHING = msgspec.Raw(b"")


class FunctionPiece(msgspec.Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class CallPiece(msgspec.Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    function: FunctionPiece = FunctionPiece()


class Said(msgspec.Struct, frozen=True):
    """A `delta` of a stream, or a whole `message`."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    """OpenRouter's and newer vLLM's name for it."""
    tool_calls: list[CallPiece] | None = None


class Choice(msgspec.Struct, frozen=True):
    index: int = 0
    delta: Said | None = None
    message: Said | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: msgspec.Raw = _NOTHING


class Answers(msgspec.Struct, frozen=True):
    """An event of a stream, or a whole answer."""

    choices: list[Choice] | None = None
    usage: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING


_decode = msgspec.json.Decoder(Answers).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_chat_logprobs = msgspec.json.Decoder(ChatLogprobs | None).decode
_text_logprobs = msgspec.json.Decoder(TextLogprobs | None).decode


class ChoicesReader:
    """Implements `reading.Reader`. `count`: answers expected.

    With `raw`, each event goes on in its own words; `show_usage` says whether the caller asked for the event that has
    nothing but the usage. That event, or the last of an answer where it has the usage, waits for the one after it: only
    then is it known to be the last of all.
    """

    def __init__(self, answer: Answer, dialect: Dialect, count: int, *, raw: bool, show_usage: bool) -> None:
        self._answer = answer
        self._dialect = dialect
        self._count = count
        self._raw = raw
        self._show_usage = show_usage
        self._finished: set[int] = set()
        self._held: list[GenerateChunk] = []
        self._ended = False

    @property
    def complete(self) -> bool:
        return len(self._finished) >= self._count

    def last(self, event: ServerEvent) -> bool:
        return event.data == DONE

    def read(self, event: ServerEvent) -> list[GenerateChunk]:
        data = event.data
        if data == DONE:
            return self._final()
        found = self._decoded(data)
        if _is_given(found.error) or event.event == "error":
            raise self._answer.failed(bytes(found.error) if _is_given(found.error) else data)
        chunks = []
        words = data if self._raw else b""
        for choice in found.choices or ():
            chunk = self._chunk(choice, words)
            if chunk is not None:
                chunks.append(chunk)
                words = b""
        if words:
            chunks.append(GenerateChunk(0, raw=words))
        ready, self._held = self._held, []
        if _is_given(found.usage):
            self._answer.usage = read_usage(found.usage, self._answer.name) or self._answer.usage
            if self._raw and not found.choices and not self._show_usage:
                chunks = []
            elif self._raw and (not found.choices or any(chunk.finish_reason for chunk in chunks)):
                self._held, chunks = chunks, []
        ready += chunks
        if ready:
            self._answer.begun = True
        return ready

    def end(self) -> list[GenerateChunk]:
        if self._ended:
            return []
        if not self.complete:
            raise self._answer.early()
        return self._final()

    def whole(self, body: bytes) -> GenerateChunk:
        found = self._decoded(body)
        if _is_given(found.error):
            raise self._answer.failed(bytes(found.error))
        if _is_given(found.usage):
            self._answer.usage = read_usage(found.usage, self._answer.name)
        chunks = [self._chunk(choice, b"") for choice in found.choices or ()]
        first = next((chunk for chunk in chunks if chunk is not None and chunk.index == 0), GenerateChunk(0))
        return msgspec.structs.replace(first, usage=self._answer.final(), raw=body)

    def _final(self) -> list[GenerateChunk]:
        """What was held, and the usage on the last chunk."""
        self._ended = True
        usage = self._answer.final()
        if len(self._held) == 1 and self._held[0].index == 0:
            return [msgspec.structs.replace(self._held[0], usage=usage)]
        return [*self._held, GenerateChunk(0, usage=usage)]

    def _decoded(self, data: bytes) -> Answers:
        try:
            return _decode(data)
        except msgspec.ValidationError as error:
            if not self._raw:
                raise self._answer.unreadable(
                    f"a piece of an answer in another shape than expected: {error}"
                ) from error
            return self._opaque(data)
        except UNREADABLE as error:
            raise self._answer.unreadable("a piece of an answer that is not JSON") from error

    def _opaque(self, data: bytes) -> Answers:
        """What goes on in its own words need not be understood, but for its usage and an error."""
        try:
            fields = _fields(data)
        except UNREADABLE as error:
            raise self._answer.unreadable("a piece of an answer that is no JSON object") from error
        return Answers(
            # Some choice, so that it is not taken for the event that has nothing but the usage.
            choices=[Choice()] if "choices" in fields else None,
            usage=fields.get("usage", _NOTHING),
            error=fields.get("error", _NOTHING),
        )

    def _chunk(self, choice: Choice, raw: bytes) -> GenerateChunk | None:
        """What a choice holds; None where that is nothing. `raw`: the event, where this is the first of its choices."""
        said = choice.delta or choice.message
        reason = finish_reason(choice.finish_reason)
        text, thought = choice.text or "", ""
        calls: tuple[ToolCallDelta, ...] = ()
        if said is not None:
            text = said.content or said.refusal or text
            thought = said.reasoning_content or said.reasoning or ""
            calls = self._calls(said.tool_calls) if said.tool_calls else ()
        logprobs = self._logprobs(choice.logprobs) if _is_given(choice.logprobs) and not self._raw else None
        if reason is not None:
            self._finished.add(choice.index)
        elif not (text or thought or calls or logprobs):
            return None
        if text:
            self._answer.count(text)
        if thought:
            self._answer.count(thought)
        return GenerateChunk(
            choice.index, text, logprobs=logprobs, finish_reason=reason, reasoning=thought, tool_calls=calls, raw=raw
        )

    def _calls(self, pieces: list[CallPiece]) -> tuple[ToolCallDelta, ...]:
        found = tuple(
            ToolCallDelta(
                at if piece.index is None else piece.index,
                piece.id or "",
                piece.function.name or "",
                piece.function.arguments or "",
            )
            for at, piece in enumerate(pieces)
        )
        for call in found:
            self._answer.count(call.name + call.arguments)
        return found

    def _logprobs(self, raw: msgspec.Raw) -> tuple[TextLogprob, ...] | None:
        try:
            if self._dialect == "chat":
                return chat_logprobs(_chat_logprobs(raw))
            return text_logprobs(_text_logprobs(raw))
        except UNREADABLE as error:
            raise self._answer.unreadable(f"log-probabilities in another shape than expected: {error}") from error


def _is_given(raw: msgspec.Raw) -> bool:
    """Neither absent nor null."""
    given = bytes(raw)
    return bool(given) and given != b"null"
