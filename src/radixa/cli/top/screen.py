"""The screen of `radixa top`: four panels and a table over a server that is asked again and again."""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widgets import DataTable, Footer, Static

from radixa.bench.client import connect
from radixa.cli.top import panels
from radixa.cli.top.base import Node, Reading
from radixa.cli.top.figures import GENERATED, REQUESTS, History
from radixa.cli.top.source import read
from radixa.core.errors import CallFailed
from radixa.core.printing import printable

TREE_SECONDS = 5.0
"""Between two looks at the tree, which are dearer than its counters."""
SLOW_SECONDS = 3.0
"""Figures that are older than this, and than the time between two looks, are said to be old."""
ROWS = 100
_TITLES = {"requests": "Requests", "speed": "Tokens a second", "reuse": "Hit rate", "memory": "KV by tier"}
_PADDING = 2
"""Cells between two columns of the table."""


class Top(App[None]):
    """Ask `url` every `every` seconds until somebody quits."""

    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (panels.WIDE, "-wide"), (160, "-broad")]  # noqa: RUF012 (Textual declares it so)
    CSS = """
    #state { height: auto; max-height: 3; padding: 0 1; background: $boost; }
    #state.-away { background: $error; color: $text; text-style: bold; }
    #notes { height: auto; max-height: 3; padding: 0 1; color: $warning; display: none; }
    #notes.-some { display: block; }
    #panels { layout: grid; grid-size: 1; grid-rows: auto; height: auto; }
    .-wide #panels { grid-size: 2; }
    .-broad #panels { grid-size: 4; }
    .panel { height: auto; border: round $primary 60%; border-title-color: $text; padding: 0 1; }
    .-narrow .panel { border: none; border-top: solid $primary 60%; }
    .-wide .panel, .-broad .panel { min-height: 7; }
    .-away .panel, .-away DataTable { opacity: 50%; }
    DataTable { height: 1fr; min-height: 5; }
    #body { overflow-y: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "Sort"),
        Binding("p,space", "pause", "Pause"),
        Binding("q,escape", "quit", "Quit"),
    ]

    def __init__(self, url: str, api_key: str | None, every: float) -> None:
        super().__init__()
        self._url, self._api_key, self._every = url, api_key, every
        self._history = History()
        self._reading: Reading | None = None
        self._prefixes: tuple[Node, ...] = ()
        self._more = False
        self._order = next(iter(panels.ORDERS))
        self._going = asyncio.Event()
        self._going.set()
        self._away_since: float | None = None
        self._away = ""

    def compose(self) -> ComposeResult:
        yield Static(f"asking {printable(self._url)} …", id="state", markup=False)
        yield Static(id="notes", markup=False)
        with Vertical(id="body"):
            with Container(id="panels"):
                for name, title in _TITLES.items():
                    panel = Static(id=name, classes="panel", markup=False)
                    panel.border_title = title
                    yield panel
            yield DataTable[object](id="nodes", cursor_type="row", zebra_stripes=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.title = "radixa top"
        self._ask()
        self.set_interval(1.0, self._show_state)

    def on_resize(self) -> None:
        if self._reading is not None and self.is_running:
            self._show()

    @work
    async def _ask(self) -> None:
        """One question after the other: a slow server is asked no second one before it has answered."""
        async with connect(self._url, self._api_key) as client:
            looked = float("-inf")
            while self.is_running:
                await self._going.wait()
                tree = time.monotonic() - looked >= TREE_SECONDS
                try:
                    reading = await read(client, tree=tree)
                except CallFailed as error:
                    looked = float("-inf")
                    if self.is_running:
                        self._gone(error.message)
                else:
                    looked = time.monotonic() if tree else looked
                    # Whoever quits while the server answers leaves no screen to show it on.
                    if self.is_running:
                        self._take(reading)
                await asyncio.sleep(self._every)

    def _take(self, reading: Reading) -> None:
        self._away_since = None
        self._reading = reading
        self._history.add(reading)
        if reading.nodes is not None:
            self._prefixes, self._more = reading.nodes, reading.more_nodes
        self._show()

    def _gone(self, why: str) -> None:
        """The last figures stay, faintly; the server is asked again and again."""
        if self._away_since is None:
            self._away_since = time.monotonic()
        self._away = why
        self._show_state()

    def action_pause(self) -> None:
        if self._going.is_set():
            self._going.clear()
        else:
            self._going.set()
        self._show_state()

    def action_sort(self) -> None:
        orders = list(panels.ORDERS)
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self._show_nodes()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        if event.column_key.value in panels.ORDERS:
            self._order = event.column_key.value
            self._show_nodes()

    def _show(self) -> None:
        assert self._reading is not None
        figures = self._history.figures()
        width = max(10, self.query_one("#memory").content_size.width)
        texts = {
            "requests": (panels.requests(figures), panels.curve(self._history.curve(REQUESTS), width)),
            "speed": (panels.speed(figures), panels.curve(self._history.curve(GENERATED), width)),
            "reuse": (panels.reuse(figures), panels.curve(self._history.hit_curve(), width, 1.0)),
            "memory": (panels.memory(figures.tiers, width), panels.LEGEND),
        }
        # Where the panels stand one above the other, the table needs the lines more than the curves do.
        parts = 1 if self.size.width < panels.WIDE else 2
        for name, found in texts.items():
            self.query_one(f"#{name}", Static).update(Text("\n").join(found[:parts]))
        notes = self.query_one("#notes", Static)
        notes.update("\n".join(printable(note) for note in self._reading.notes))
        notes.set_class(bool(self._reading.notes), "-some")
        self._show_nodes()
        self._show_state()

    def _show_state(self) -> None:
        if not self.is_running:
            return
        parts = [printable(self._url)]
        if self._away_since is not None:
            parts.append(f"away for {time.monotonic() - self._away_since:.0f} s, asking again: {printable(self._away)}")
        elif self._reading is not None:
            parts += [printable(self._reading.model)] if self._reading.model else []
            if (old := time.monotonic() - self._reading.at) > self._every + SLOW_SECONDS and self._going.is_set():
                parts.append(f"slow to answer, the figures are {old:.0f} s old")
        if not self._going.is_set():
            parts.append("paused")
        self.query_one("#state", Static).update(" · ".join(parts))
        for widget in (self.query_one("#state"), self.query_one("#body")):
            widget.set_class(self._away_since is not None, "-away")

    def _show_nodes(self) -> None:
        """The table anew, with the cursor where it was."""
        table = self.query_one("#nodes", DataTable)
        shown = panels.columns(self.size.width)
        room = self.size.width - sum(panels.COLUMNS[name] + _PADDING for name in shown) - 2 * _PADDING
        row = table.cursor_row
        table.clear(columns=True)
        for name in shown:
            heading = Text(f"{name} ↓" if name == self._order else name, justify="right")
            table.add_column(heading, width=panels.COLUMNS[name], key=name)
        of = f" of the first {len(self._prefixes):,} nodes" if self._more else ""
        by = "" if self._order in shown else f", by {self._order}"
        table.add_column(f"hottest prefixes{of}{by}", width=max(12, room), key="text")
        for node in sorted(self._prefixes, key=panels.ORDERS[self._order])[:ROWS]:
            table.add_row(*panels.cells(node, shown, room), key=str(node.id))
        if row:
            table.move_cursor(row=min(row, table.row_count - 1), animate=False)
