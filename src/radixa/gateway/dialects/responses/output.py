"""The response object and its output items, as OpenAI's API has them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from radixa.core.base import FinishReason, TextLogprob
from radixa.core.errors import RadixaError
from radixa.gateway.answering import Answering
from radixa.gateway.dialects.responses.usage import ResponsesUsage
from radixa.gateway.dialects.sections import Section
from radixa.gateway.logprobs import chat_logprobs

Status = Literal["in_progress", "completed", "incomplete", "failed"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]

_INCOMPLETE: dict[FinishReason | None, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}

NONE = msgspec.Raw(b"null")


class Echo(msgspec.Struct, frozen=True):
    """The fields of a body that its response repeats, and what stands there where the body has none."""

    instructions: msgspec.Raw = NONE
    max_output_tokens: msgspec.Raw = NONE
    metadata: msgspec.Raw = msgspec.Raw(b"{}")
    parallel_tool_calls: msgspec.Raw = msgspec.Raw(b"true")
    prompt_cache_key: msgspec.Raw = NONE
    reasoning: msgspec.Raw = msgspec.Raw(b'{"effort":null,"summary":null}')
    safety_identifier: msgspec.Raw = NONE
    temperature: msgspec.Raw = msgspec.Raw(b"1.0")
    text: msgspec.Raw = msgspec.Raw(b'{"format":{"type":"text"}}')
    tool_choice: msgspec.Raw = msgspec.Raw(b'"auto"')
    tools: msgspec.Raw = msgspec.Raw(b"[]")
    top_logprobs: msgspec.Raw = msgspec.Raw(b"0")
    top_p: msgspec.Raw = msgspec.Raw(b"1.0")
    user: msgspec.Raw = NONE


_echo = msgspec.json.Decoder(Echo).decode
_DEFAULTS = Echo()


def echo(body: bytes) -> dict[str, msgspec.Raw]:
    """What a body's response repeats of it; null is the same as absent."""
    given = _echo(body)
    found = {}
    for name in Echo.__struct_fields__:
        value = getattr(given, name)
        found[name] = getattr(_DEFAULTS, name) if bytes(value) == b"null" else value
    return found


class Output:
    """Writes one answer's response object and items."""

    def __init__(self, answering: Answering, said: dict[str, msgspec.Raw]) -> None:
        """`said`: what `echo` found in the request's body."""
        self._request = answering.request
        self._model = answering.offer.id
        self._said = said

    def response(
        self,
        status: Status,
        items: list[dict[str, Any]],
        usage: ResponsesUsage | None = None,
        reason: FinishReason | None = None,
        error: RadixaError | None = None,
    ) -> dict[str, Any]:
        """`reason` says why one is incomplete, `error` why it failed."""
        return {
            "id": self._id("resp"),
            "object": "response",
            "created_at": self._request.created,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "background": False,
            "error": None if error is None else failure(error),
            "incomplete_details": {"reason": _INCOMPLETE[reason]} if status == "incomplete" else None,
            "model": self._model,
            "output": items,
            "previous_response_id": None,
            "store": False,
            "truncation": "disabled",
            "usage": usage,
            **self._said,
        }

    def item_id(self, section: Section) -> str:
        prefix = {"thinking": "rs", "text": "msg", "tool": "fc"}[section.kind]
        return f"{self._id(prefix)}{section.index:02x}"

    def items(self, sections: Sequence[Section], last: ItemStatus) -> list[dict[str, Any]]:
        """All of an answer that is over; `last` is the status of the item that it ended in."""
        found = [self.item(section, "completed") for section in sections[:-1]]
        return [*found, *(self.item(section, last) for section in sections[-1:])]

    def item(self, section: Section, status: ItemStatus) -> dict[str, Any]:
        """A section as an output item, without its content while it is in progress."""
        begun = status == "in_progress"
        found: dict[str, Any] = {"id": self.item_id(section), "status": status}
        match section.kind:
            case "text":
                content = [] if begun else [text_part(section.text, section.logprobs)]
                return found | {"type": "message", "role": "assistant", "content": content}
            case "tool":
                arguments = "" if begun else section.text
                call = {"call_id": section.id, "name": section.name, "arguments": arguments}
                return found | {"type": "function_call", **call}
        content = [] if begun else [thought_part(section.text)]
        return found | {
            "type": "reasoning",
            "summary": [],
            "content": content,
            "encrypted_content": section.signature or None,
        }

    def _id(self, prefix: str) -> str:
        return self._request.id.replace("req_", f"{prefix}_")


def status_of(reason: FinishReason | None) -> Literal["completed", "incomplete"]:
    return "incomplete" if reason in _INCOMPLETE else "completed"


def text_part(text: str, found: list[TextLogprob]) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": chat_logprobs(found).content}


def thought_part(text: str) -> dict[str, Any]:
    return {"type": "reasoning_text", "text": text}


def failure(error: RadixaError) -> dict[str, str]:
    """OpenAI knows two codes for what is not about an image or a file."""
    code = "rate_limit_exceeded" if error.status == 429 else "server_error"
    return {"code": code, "message": error.message}
