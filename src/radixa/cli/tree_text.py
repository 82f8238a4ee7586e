"""The radix tree in a terminal: a line a node, with a bar as wide as its tokens, its hits and its ages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from radixa.cli.common import console, printable
from radixa.viewer.lines import excerpt, marks

_BAR = 16
_WIDE = 100
"""Columns of a terminal from which on there is room for all figures."""
_LEVELS_DRAWN = 12
"""Branches deeper than this stay at that indentation, with their depth said."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_RECENCY = ((60.0, "bold green"), (600.0, "green"), (3600.0, "yellow"))
"""Seconds since the last use below which a node has that colour; older ones are dim."""


@dataclass(frozen=True, slots=True)
class Line:
    """A node as it is drawn."""

    node: dict[str, Any]
    tokens: int
    """Of it and of all below it that is shown."""
    guide: str


def show(nodes: list[dict[str, Any]], address: str) -> None:
    """Print the nodes (`GET /v1/cache/tree`) as a tree, the branch with most tokens first."""
    screen = console()
    total = sum(node["tokens"] for node in nodes)
    screen.print(f"{printable(address)}: {len(nodes):,} nodes, {total:,} tokens")
    if not nodes:
        screen.print("The cache is empty.")
        return
    wide = screen.width >= _WIDE
    heading = f"{'of all':<{_BAR}} {'own':>7} {'hits':>6} {'used':>5} {'made':>5}" if wide else f"{'used':>5}"
    screen.print(Text(f"{'tokens':>9} {heading}", style="dim"))
    for line in lines(nodes):
        screen.print(_drawn(line, total, wide, screen.width), no_wrap=True, crop=True, overflow="ellipsis")
    legend = "tokens: of a node and all below it; used: how long ago"
    screen.print(Text(f"{legend}, as made; own: tokens of it alone" if wide else legend, style="dim"))


def lines(nodes: list[dict[str, Any]]) -> Iterator[Line]:
    """Parents before children. A node whose parent was left out is drawn at the top.

    An only child stands below its parent at the same indentation: conversations are long chains.
    """
    known = {node["id"] for node in nodes}
    children: dict[int, list[dict[str, Any]]] = {}
    for node in nodes:
        children.setdefault(node["parent"] if node["parent"] in known else 0, []).append(node)
    tokens = _subtrees(nodes, known)
    # What is still to be drawn, the next one last: a node, its guide, that of what is below it, its level.
    stack = [(node, "", "", 0) for node in _largest_last(children.get(0, []), tokens)]
    while stack:
        node, guide, below, level = stack.pop()
        yield Line(node, tokens[node["id"]], guide)
        found = _largest_last(children.get(node["id"], []), tokens)
        if len(found) == 1:
            stack.append((found[0], f"{below}↳ ", below, level))
            continue
        for place, child in enumerate(found):
            # The first of these is drawn last.
            last = place == 0
            if level < _LEVELS_DRAWN:
                guides = f"{below}{'└' if last else '├'} ", f"{below}{'  ' if last else '│ '}"
            else:
                guides = f"{below}{level + 1}› ", below
            stack.append((child, *guides, level + 1))


def _subtrees(nodes: list[dict[str, Any]], known: set[int]) -> dict[int, int]:
    """Tokens of each node and all below it. The server sends parents before their children."""
    tokens = {node["id"]: node["tokens"] for node in nodes}
    for node in reversed(nodes):
        if node["parent"] in known:
            tokens[node["parent"]] += tokens[node["id"]]
    return tokens


def _largest_last(nodes: list[dict[str, Any]], tokens: dict[int, int]) -> list[dict[str, Any]]:
    return sorted(nodes, key=lambda node: tokens[node["id"]])


def _drawn(line: Line, total: int, wide: bool, width: int) -> Text:
    node = line.node
    colour = next((style for bound, style in _RECENCY if node["last_use"] < bound), "dim")
    text = Text(f"{line.tokens:>9,} ")
    if wide:
        text.append(f"{bar(line.tokens / total, _BAR)} ", style=colour)
        text.append(f"{node['tokens']:>7,} {node['hits']:>6,} ")
    text.append(f"{short(node['last_use']):>5}", style=colour)
    if wide:
        # A server of an earlier release does not say when a node was made.
        text.append(f" {short(node['age']) if 'age' in node else '':>5}", style="dim")
    text.append(f"  {line.guide}", style="dim")
    notes = [*(["in use"] if node["locked"] else []), *marks(node)]
    if notes:
        text.append(f"[{', '.join(notes)}] ", style="cyan")
    if node["text"] is None:
        text.append(printable(node.get("namespace") or "another's"), style="italic dim")
    else:
        text.append(excerpt(node["text"], max(20, width - text.cell_len)))
    return text


def bar(share: float, width: int) -> str:
    """`width` cells, filled from the left to an eighth of a cell."""
    eighths = max(1, round(share * width * 8))
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()).ljust(width)


def short(seconds: float) -> str:
    """A length of time in at most four characters."""
    for unit, length in (("s", 60), ("m", 60), ("h", 24)):
        if round(seconds) < length:
            return f"{seconds:.0f}{unit}"
        seconds /= length
    return f"{seconds:.0f}d"
