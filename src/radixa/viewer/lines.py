"""A node in a line of text."""

from __future__ import annotations

from typing import Any

from radixa.core.printing import printable


def marks(node: dict[str, Any]) -> list[str]:
    """What keeps a node, and whose it is, in a word each; a server may say nothing of it."""
    found = []
    if node.get("pin"):
        found.append("pinned")
    if node.get("priority"):
        found.append("high priority")
    if node.get("expiry") is not None:
        found.append(f"kept {node['expiry']:.0f} s")
    if node.get("role"):
        found.append(printable(node["role"]))
    if node.get("session_id"):
        found.append(f"session {excerpt(node['session_id'], 30)}")
    return found


def excerpt(text: str | None, length: int = 60) -> str:
    """The beginning and the end of a text on one line; nothing where the caller may not see it."""
    line = printable(" ".join((text or "").split()))
    return line if len(line) <= length else f"{line[: length * 2 // 3]} … {line[-length // 3 :]}"
