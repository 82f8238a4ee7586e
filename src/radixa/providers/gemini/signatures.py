"""Thought signatures on their way through APIs that have no field for them.

Gemini seals what it thought before a call into a `thoughtSignature`, and from its third generation on refuses a
conversation in which a call comes back without it. OpenAI's tool calls carry nothing of the kind but their id, which no
client reads and every client sends back: so the signature travels in there, and no server need remember it. Thinking
blocks of Anthropic's API have a signature of their own; ours is marked, so that no other provider's is sent to Gemini.
"""

from __future__ import annotations

import base64
import secrets

_IN_ID = "-thought-"
_MARK = "gemini."

ABSENT = "skip_thought_signature_validator"
"""What Gemini's documentation has in place of the signature of a call that another model made."""


def call_id(given: str | None, signature: str | None) -> str:
    """The id a caller sees: Gemini's own or a new one, and the signature with it; letters, digits, `-` and `_` only."""
    own = given or f"call_{secrets.token_hex(12)}"
    if signature is None:
        return own
    return f"{own}{_IN_ID}{_url_safe(signature)}"


def split(found: str) -> tuple[str, str | None]:
    """A call's own id, and the signature that came with it; None for a call that Gemini did not sign."""
    own, mark, sealed = found.rpartition(_IN_ID)
    signature = _standard(sealed) if mark and sealed else None
    return (found, None) if signature is None else (own, signature)


def marked(signature: str) -> str:
    """A thinking block's signature, marked as Gemini's."""
    return _MARK + signature


def unmarked(signature: str) -> str | None:
    """The signature as Gemini wrote it; None where another provider did."""
    return signature.removeprefix(_MARK) if signature.startswith(_MARK) else None


def _url_safe(signature: str) -> str:
    """Gemini's base64 without the signs that ids of other APIs may not have."""
    return signature.replace("+", "-").replace("/", "_").rstrip("=")


def _standard(sealed: str) -> str | None:
    text = sealed.replace("-", "+").replace("_", "/")
    text += "=" * (-len(text) % 4)
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return text
