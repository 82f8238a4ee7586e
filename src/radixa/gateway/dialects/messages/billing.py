"""Claude Code's first line, made the same in every request.

Claude Code begins its system prompt with a line for Anthropic's accounts: `x-anthropic-billing-header:
cc_version=2.1.36.f1a; cc_entrypoint=cli; cch=8c07d;`. What follows `cch=` is a hash of the request, and the last part
of the version one of the conversation, so every prefix cache would miss at about character 50. Both become zeros, of
the same length; the rest stays.
"""

from __future__ import annotations

import re

import msgspec

from radixa.gateway.base import encode

_NAME = "x-anthropic-billing-header:"
_VERSION = re.compile(r"(\bcc_version=\d+\.\d+\.\d+\.)([0-9a-fA-F]+)(?=[;\s]|\Z)")
_HASH = re.compile(r"(\bcch=)([0-9a-fA-F]+)(?=[;\s]|\Z)")

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_string = msgspec.json.Decoder(str).decode


def normalised_text(text: str) -> str:
    """The text, where it begins with that line, with zeros for the hashes in its first line."""
    if not text.startswith(_NAME):
        return text
    line, newline, rest = text.partition("\n")
    for pattern in (_VERSION, _HASH):
        line = pattern.sub(lambda found: found[1] + "0" * len(found[2]), line)
    return line + newline + rest


def normalised(body: bytes) -> bytes:
    """A messages body whose `system`, or its first block, begins with that line, with zeros for the hashes.

    Any other body comes back as it is: also one that is no JSON, or of the wrong types, which others will refuse.
    """
    if _NAME.encode() not in body:
        return body
    try:
        fields = _fields(body)
        system = _system(bytes(fields["system"]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LookupError):
        return body
    if system is None:
        return body
    fields["system"] = msgspec.Raw(system)
    return encode(fields)


def _system(raw: bytes) -> bytes | None:
    """The normalised system prompt, None where nothing of it changes."""
    if raw[:1] == b'"':
        return _text(raw)
    blocks = _list(raw)
    block = _fields(blocks[0])
    text = _text(bytes(block["text"]))
    if text is None:
        return None
    block["text"] = msgspec.Raw(text)
    blocks[0] = msgspec.Raw(encode(block))
    return encode(blocks)


def _text(raw: bytes) -> bytes | None:
    text = _string(raw)
    found = normalised_text(text)
    return None if found == text else encode(found)
