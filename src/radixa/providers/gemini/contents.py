"""A conversation's messages as Gemini's `systemInstruction` and `contents`."""

from __future__ import annotations

import base64
from typing import Any

from radixa.core.conversation import (
    Conversation,
    ConversationMessage,
    Image,
    Opaque,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from radixa.core.errors import InvalidRequest
from radixa.providers.arguments import arguments_of
from radixa.providers.gemini.signatures import ABSENT, split, unmarked

Json = dict[str, Any]


def contents_of(conversation: Conversation, *, signed: bool) -> tuple[list[Json], list[Json]]:
    """The parts of the system instruction, and the contents. InvalidRequest names a part that Gemini cannot be sent.

    `signed`: the model wants a signature with every turn's first call. System messages amid the conversation stand
    where they are, as the user's: Gemini has one system instruction, and moving text would also move cached prefixes.
    """
    system: list[Json] = []
    contents: list[Json] = []
    calls: dict[str, str] = {}
    for index, message in enumerate(conversation.messages):
        parts = _parts(message, conversation.place(index), calls, signed=signed)
        if message.role == "system" and not contents:
            system += parts
        else:
            _append(contents, "model" if message.role == "assistant" else "user", parts)
    if not contents:
        # Gemini answers no conversation without contents, and everyone else does.
        _append(contents, "user", system)
        system = []
    if not contents:
        raise InvalidRequest(
            f"Invalid '{conversation.field}': it has no text. Expected at least one message that says something.",
            param=conversation.field,
        )
    return system, contents


def _append(contents: list[Json], role: str, parts: list[Json]) -> None:
    """One turn's parts in one content; results of calls apart from what is said beside them, as Gemini counts them."""
    results = [part for part in parts if "functionResponse" in part]
    said = [part for part in parts if "functionResponse" not in part]
    for kind, found in ((True, results), (False, said)):
        if not found:
            continue
        last = contents[-1] if contents else None
        if last is not None and last["role"] == role and ("functionResponse" in last["parts"][-1]) is kind:
            last["parts"] += found
        else:
            contents.append({"role": role, "parts": found})


def _parts(message: ConversationMessage, place: str, calls: dict[str, str], *, signed: bool) -> list[Json]:
    """`calls`: names of functions by the ids of their calls so far."""
    found = []
    unsigned = signed
    for j, part in enumerate(message.parts):
        where = f"{place}.content[{j}]"
        made = _part(part, where, place, calls)
        if made is None:
            continue
        if "functionCall" in made:
            # Of calls made at once only the first has a signature.
            if unsigned:
                made.setdefault("thoughtSignature", ABSENT)
            unsigned = False
        found.append(made)
    return found


def _part(part: Part, where: str, place: str, calls: dict[str, str]) -> Json | None:
    """None for what Gemini does not want to see again: empty texts, and the thoughts of other models."""
    match part:
        case Text():
            return {"text": part.text} if part.text else None
        case Image():
            return {"inlineData": _inline(part, where)}
        case ToolCall():
            own, signature = split(part.id)
            calls[own] = part.name
            made: Json = {"functionCall": {"id": own, "name": part.name, "args": arguments_of(part, place)}}
            return made if signature is None else made | {"thoughtSignature": signature}
        case ToolResult():
            return {"functionResponse": _result(part, where, place, calls)}
        case Thinking():
            signature = unmarked(part.signature)
            if signature is None or not part.text:
                return None
            return {"text": part.text, "thought": True, "thoughtSignature": signature}
        case Opaque():
            raise InvalidRequest(
                f"Invalid value for '{where}.type': '{part.type}'. Gemini is sent text, images and tool calls here.",
                param=f"{where}.type",
                code="invalid_value",
            )


def _inline(image: Image, where: str) -> Json:
    """The image's own bytes. An image elsewhere is refused: nothing here fetches what a request names."""
    media_type, data = image.media_type, image.data
    if not data:
        head, _, data = image.url.partition(",")
        media_type = head.removeprefix("data:").partition(";")[0]
        if not head.startswith("data:") or not head.endswith(";base64"):
            raise InvalidRequest(
                f"Invalid '{where}': Gemini is sent images as they are, and this gateway fetches none. "
                "Expected a data URL, such as data:image/png;base64,….",
                param=where,
                code="invalid_value",
            )
    try:
        base64.b64decode(data, validate=True)
    except ValueError:
        raise InvalidRequest(f"Invalid '{where}': its data is not base64.", param=where, code="invalid_value") from None
    return {"mimeType": media_type or "image/png", "data": data}


def _result(result: ToolResult, where: str, place: str, calls: dict[str, str]) -> Json:
    own, _ = split(result.call_id)
    name = calls.get(own)
    if name is None:
        raise InvalidRequest(
            f"Invalid '{place}': it answers a tool call '{own[:100]}' that no message before it made.",
            param=place,
            code="invalid_value",
        )
    text = "".join(part.text for part in result.content if isinstance(part, Text))
    made: Json = {"id": own, "name": name, "response": {"error" if result.error else "output": text}}
    images = [
        {"inlineData": _inline(part, f"{where}.content[{k}]")}
        for k, part in enumerate(result.content)
        if isinstance(part, Image)
    ]
    return made | {"parts": images} if images else made
