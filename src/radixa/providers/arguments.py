"""What an earlier answer called a tool with."""

from __future__ import annotations

import msgspec

from radixa.core.conversation import ToolCall
from radixa.core.errors import InvalidRequest, shown
from radixa.providers.upstream.unreadable import UNREADABLE

_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def arguments_of(call: ToolCall, place: str) -> msgspec.Raw:
    """The call's arguments as they came, `{}` for none. InvalidRequest where they are no JSON object.

    `place`: of the message, in the caller's body.
    """
    given = call.arguments.strip() or "{}"
    try:
        _object(given)
    except UNREADABLE as error:
        raise InvalidRequest(
            f"Invalid arguments of '{shown(call.name)}' in '{place}': they must be the JSON of an object ({error}).",
            param=place,
            code="invalid_value",
        ) from error
    return msgspec.Raw(given.encode())
