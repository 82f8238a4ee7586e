"""The radix tree as one self-contained HTML page: no script, no request, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape
from typing import Any

from radixa.core.printing import age, printable

_STYLE = """
:root { color-scheme: light dark; --ink: #1d232b; --dim: #68727e; --paper: #fbfbf9; --line: #dcdfd9; --bar: #2f7d6b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ec; --dim: #939daa; --paper: #14181d; --line: #2c333b; --bar: #5cc0a5; }
}
body { margin: 2rem auto; max-width: 72rem; padding: 0 1.25rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; }
.facts { color: var(--dim); margin: 0 0 1.5rem; }
details { margin-left: 1.1rem; padding-left: .7rem; border-left: 1px solid var(--line); }
body > details { margin-left: 0; }
summary { cursor: pointer; }
summary { padding-top: .15rem; padding-bottom: .15rem; }
.bar { display: inline-block; height: .6em; min-width: 2px; border-radius: 2px; background: var(--bar);
  margin-right: .5em; vertical-align: baseline; }
.count { font-variant-numeric: tabular-nums; color: var(--dim); margin-right: .6em; }
.tag { border: 1px solid var(--line); border-radius: 3px; padding: 0 .3em; color: var(--dim); margin-right: .6em; }
.text { font-family: ui-monospace, monospace; font-size: .85em; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85em; color: var(--dim); margin: .2rem 0 .4rem;
  max-height: 6.5em; overflow-y: auto; }
"""
_BAR_PIXELS = 160
_OPEN_LEVELS = 3
"""Branches this near to the root are open at first."""
_TEXT_LIMIT = 4_000
"""Characters of a node's text that the page shows."""


def page(nodes: list[dict[str, Any]], source: str) -> str:
    """`nodes` as `GET /v1/cache/tree` gives them, parents before children; `source`: the server's address."""
    children: dict[int, list[dict[str, Any]]] = {}
    known = {node["id"] for node in nodes}
    for node in nodes:
        parent = node["parent"] if node["parent"] in known else 0
        children.setdefault(parent, []).append(node)
    total = sum(node["tokens"] for node in nodes)
    longest = max((node["tokens"] for node in nodes), default=1)
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    body = "\n".join(_branch(children, 0, longest)) or "<p>The cache is empty.</p>"
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Radix tree of {escape(source)}</title>
<style>{_STYLE}</style>
<h1>Radix tree</h1>
<p class="facts">{escape(source)}, {now}: {len(nodes):,} nodes, {total:,} tokens.
A bar is as long as a node's tokens; open a node for its text and what follows it.</p>
{body}
</html>
"""


def _branch(children: dict[int, list[dict[str, Any]]], parent: int, longest: int) -> Iterator[str]:
    """The nodes below `parent`, each after its text. A stack instead of recursion: conversations make deep trees."""
    stack: list[tuple[int, dict[str, Any] | None]] = [(1, node) for node in reversed(children.get(parent, []))]
    while stack:
        level, node = stack.pop()
        if node is None:
            yield "</details>"
            continue
        below = children.get(node["id"], [])
        yield f"<details{' open' if below and level <= _OPEN_LEVELS else ''}><summary>{_line(node, longest)}</summary>"
        yield f"<pre>{escape((node['text'] or '')[:_TEXT_LIMIT])}</pre>"
        stack.append((level, None))
        stack += [(level + 1, child) for child in reversed(below)]


def _line(node: dict[str, Any], longest: int) -> str:
    width = max(2, _BAR_PIXELS * node["tokens"] // longest)
    beginning = " ".join((node["text"] or "").split())[:80]
    notes = [*(["in use"] if node["locked"] else []), *marks(node)]
    tags = "".join(f'<span class="tag">{escape(note)}</span>' for note in notes)
    return (
        f'<span class="bar" style="width:{width}px"></span>'
        f'<span class="count">{node["tokens"]:,} tokens, {node["hits"]:,} hits, {age(node["last_use"])}</span>{tags}'
        f'<span class="text">{escape(beginning)}</span>'
    )


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
