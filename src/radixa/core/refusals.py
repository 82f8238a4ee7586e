"""What a server's error body says."""

from __future__ import annotations

import json


def reason(body: str | bytes) -> str:
    """The message of an OpenAI-shaped error body, else the body's beginning."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        text = body if isinstance(body, str) else body.decode("utf-8", "replace")
        return " ".join(text.split())[:200]
