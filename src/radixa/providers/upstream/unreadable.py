"""What decoding the JSON of others may raise."""

from __future__ import annotations

import msgspec

UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""No JSON, or not in the shape expected; bytes that are no text; nested without end."""
