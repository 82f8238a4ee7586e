"""The panels' texts: figures in words and bars. Nothing here knows of a screen but its width."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text

from radixa.cli.top.base import Figures, Node, Tier
from radixa.core.printing import age, printable
from radixa.viewer.lines import excerpt

IN_USE = "#e0a458"
KEPT = "#58c79d"
FREE = "dim"

LEGEND = Text.assemble(("█", IN_USE), " in use  ", ("█", KEPT), " kept  ", ("░", FREE), " free")
WIDE = 80
"""Columns of a screen from which on there is room for two panels beside each other, and for all of the table."""
_STEPS = "▁▂▃▄▅▆▇█"

Order = Callable[[Node], float]
ORDERS: dict[str, Order] = {
    "hits": lambda node: -node.hits,
    "spared": lambda node: -node.spared,
    "tokens": lambda node: -node.tokens,
    "last use": lambda node: node.last_use,
}
"""What the hottest prefixes are sorted by; the smallest key is first."""


def requests(figures: Figures) -> Text:
    lines = [f"{figures.answering:,} being answered"]
    if figures.computing is not None:
        lines.append(f"{figures.computing:,} computing, {figures.waiting:,} waiting in the engine")
    else:
        lines.append("no engine can be asked")
    lines.append(f"{_rate(figures.requests_per_second)} a second, {figures.refused:,} refused by limits")
    return Text("\n".join(lines))


def speed(figures: Figures) -> Text:
    lines = [f"{_rate(figures.generated_per_second)} generated"]
    if figures.computed_per_second is not None:
        lines.append(f"{_rate(figures.computed_per_second)} of prompts computed")
    lines.append(f"{_rate(figures.reused_per_second)} of prompts reused")
    return Text("\n".join(lines))


def reuse(figures: Figures) -> Text:
    lines = [
        f"{percent(figures.hit_rate)} of prompt tokens, last minute",
        f"{percent(figures.hit_rate_since_start)} since the server's start",
    ]
    from_tiers = [f"{tier.reused:,} from {tier.name}" for tier in figures.tiers]
    if from_tiers:
        lines.append(", ".join(from_tiers))
    return Text("\n".join(lines))


def curve(values: Sequence[float], width: int, top: float | None = None) -> Text:
    """The last `width` values as columns; `top` is a full one's, by default the greatest value's."""
    shown = values[-width:]
    full = max(shown, default=0.0) if top is None else top
    steps = (round(value / full * (len(_STEPS) - 1)) if full else 0 for value in shown)
    return Text("".join(_STEPS[step] for step in steps), style=KEPT)


def memory(tiers: tuple[Tier, ...], width: int) -> Text:
    """A bar for each tier: in use, kept, free."""
    if not tiers:
        return Text("none: no engine can be asked", style="dim")
    lines = []
    for tier in tiers:
        share = tier.used / tier.capacity if tier.capacity else 0.0
        facts = f"{tier.name}: {tier.used:,} of {tier.capacity:,} tokens, {percent(share)}"
        if tier.note:
            facts += f", {tier.note}"
        lines += [Text(facts), bar(tier, width)]
    return Text("\n").join(lines)


def bar(tier: Tier, width: int) -> Text:
    """`width` cells. What is there at all has at least one."""
    cells = [0 if not part else max(1, round(part / tier.capacity * width)) for part in (tier.in_use, tier.kept)]
    used = min(cells[0], width)
    kept = min(cells[1], width - used)
    return Text.assemble(("█" * used, IN_USE), ("█" * kept, KEPT), ("░" * (width - used - kept), FREE))


COLUMNS = {"hits": 9, "tokens": 9, "spared": 11, "last use": 12}
NARROW = ("hits", "spared")


def columns(width: int) -> tuple[str, ...]:
    """Those there is room for beside the text."""
    return tuple(COLUMNS) if width >= WIDE else NARROW


def cells(node: Node, shown: tuple[str, ...], room: int) -> list[Text]:
    """A row: the figures, then the prefix's own text in `room` cells."""
    figures = {
        "hits": f"{node.hits:,}",
        "tokens": f"{node.tokens:,}",
        "spared": f"{node.spared:,}",
        "last use": age(node.last_use),
    }
    return [*(Text(figures[name], justify="right") for name in shown), _prefix(node, room)]


def _prefix(node: Node, room: int) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    for mark in node.marks:
        text.append(f"[{mark}] ", style="dim")
    if node.text is None:
        text.append(printable(node.owner), style="italic dim")
    else:
        text.append(excerpt(node.text, max(12, room - text.cell_len)))
    text.truncate(max(12, room), overflow="ellipsis")
    return text


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _rate(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"
