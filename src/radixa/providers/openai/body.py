"""A caller's body made an upstream's: only what must change is changed, and only at the top.

What lies below is neither decoded nor written anew, but for breakpoints in a form that the upstream does not know.
"""

from __future__ import annotations

from typing import Any

import msgspec

from radixa.core.base import CachePolicy, Dialect
from radixa.core.errors import InvalidRequest
from radixa.providers.openai.generations import Generation
from radixa.providers.openai.kinds import Kind
from radixa.providers.own_fields import OWN_FIELDS
from radixa.providers.upstream.unreadable import UNREADABLE

Fields = dict[str, Any]
"""A body's fields: JSON as it came (`msgspec.Raw`), or values."""

_PROMPT = ("tools", "instructions", "messages", "input", "prompt")
"""What makes a prompt, in the order in which models see it."""
_MARKS = frozenset({"cache_control", "prompt_cache_breakpoint"})
_LONG = frozenset({"1h", "12h"})
LONG_RETENTION_S = 3600
"""A wish of so much is what extended retention is for."""

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
encode = msgspec.json.Encoder().encode


def fields(body: bytes) -> Fields:
    """The fields of a JSON object. InvalidRequest where it is none."""
    try:
        return dict(_decode(body))
    except UNREADABLE as error:
        raise InvalidRequest(f"The body is not a JSON object: {error}.") from error


def prompt_of(found: Fields) -> bytes:
    """The JSON of what makes the prompt: requests that begin alike begin alike here."""
    pieces = [bytes(found[name]) for name in _PROMPT if name in found]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def pass_on(found: Fields, body: bytes, dialect: Dialect, model: str, kind: Kind, generation: Generation) -> None:
    """Make the fields of a caller's `body` those that the upstream may see."""
    for name in OWN_FIELDS & found.keys():
        del found[name]
    marked = body.count(b'"cache_control"')
    control = found.get("cache_control")
    if control is not None:
        marked -= 1
        if bytes(control)[:1] == b'"' or not kind.takes_cache_control:
            del found["cache_control"]
    if not kind.keeps_keys:
        found.pop("prompt_cache_key", None)
    if not kind.cache_by_generation:
        found.pop("prompt_cache_retention", None)
        found.pop("prompt_cache_options", None)
    elif not generation.breakpoints:
        found.pop("prompt_cache_options", None)
    unknown = marked > 0 and not kind.takes_cache_control
    unknown |= b'"prompt_cache_breakpoint"' in body and not (kind.ignores_unknown or generation.breakpoints)
    if unknown:
        _translate(found, generation.breakpoints)
    found["model"] = model
    if dialect != "responses" and bytes(found.get("stream", b"")) == b"true":
        found["stream_options"] = {**_object(found.get("stream_options")), "include_usage": True}


def wants_usage(found: Fields) -> bool:
    """Whether the caller's body asks for usage in the stream."""
    asked = _object(found.get("stream_options")).get("include_usage")
    return asked is not None and bytes(asked) == b"true"


def steer(found: Fields, policy: CachePolicy, generation: Generation) -> None:
    """Put a policy into the body where the caller's own fields say nothing, in OpenAI's form."""
    if generation.breakpoints:
        if "prompt_cache_options" not in found and not policy.write:
            # Without a breakpoint of its own, such a request does not use the cache.
            found["prompt_cache_options"] = {"mode": "explicit"}
    elif (
        generation.retention_24h
        and "prompt_cache_retention" not in found
        and policy.write
        and (policy.ttl or 0) >= LONG_RETENTION_S
    ):
        found["prompt_cache_retention"] = "24h"


def breakpoint_of(wish: str) -> dict[str, str]:
    """OpenAI's own breakpoint for a wish of that length. Half an hour is what it keeps anyway."""
    return {"mode": "explicit", "ttl": "12h"} if wish in _LONG else {"mode": "explicit"}


def _translate(found: Fields, breakpoints: bool) -> None:
    """Take breakpoints that the upstream would refuse out of the prompt, or write them in its own form."""
    for name in ("instructions", "messages", "input"):
        if name in found:
            try:
                found[name] = msgspec.Raw(encode(_translated(msgspec.json.decode(found[name]), breakpoints)))
            except RecursionError:
                raise InvalidRequest(f"Invalid '{name}': it is nested too deeply.", param=name) from None
    if bytes(found.get("tools", b""))[:1] == b"[":
        # A tool's own schema may name anything.
        tools = msgspec.json.decode(found["tools"])
        kept = [
            {k: v for k, v in tool.items() if k not in _MARKS} if isinstance(tool, dict) else tool for tool in tools
        ]
        found["tools"] = msgspec.Raw(encode(kept))


def _translated(value: Any, breakpoints: bool) -> Any:
    """The prompt without marks of Anthropic's, and with OpenAI's only where there are `breakpoints`."""
    if isinstance(value, list):
        return [_translated(item, breakpoints) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _translated(inner, breakpoints) for name, inner in value.items() if name not in _MARKS}
    if breakpoints and "type" in value:
        own, foreign = value.get("prompt_cache_breakpoint"), value.get("cache_control")
        if own is not None:
            kept["prompt_cache_breakpoint"] = own
        elif isinstance(foreign, dict):
            kept["prompt_cache_breakpoint"] = breakpoint_of(str(foreign.get("ttl", "5m")))
    return kept


def _object(raw: Any) -> dict[str, msgspec.Raw]:
    return dict(_decode(raw)) if raw is not None and bytes(raw)[:1] == b"{" else {}
