"""The screen, driven by Textual's pilot over a real gateway."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from radixa.cli.top import _once
from radixa.cli.top.screen import Top
from radixa.engine.base import EngineStats
from tests.cli.conftest import Radixa
from tests.cli.serving import served as served_in_a_thread

from .conftest import Served

EVERY = 0.1
BASE = "You are a patient teacher of history. "


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree is looked at as often as the counters are."""
    monkeypatch.setattr("radixa.cli.top.screen.TREE_SECONDS", 0.0)


def text(app: Top, name: str) -> str:
    return str(app.query_one(f"#{name}", Static).content)


def column(app: Top, number: int) -> list[str]:
    table = app.query_one("#nodes", DataTable)
    return [str(table.get_row_at(row)[number]) for row in range(table.row_count)]


async def until(pilot: Pilot[None], seen: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not seen():
        assert time.monotonic() < end, "not seen within 10 s"
        await pilot.pause(0.02)


async def test_everything_is_there_and_refreshes(served: Served) -> None:
    for number in range(3):
        await served.complete(f"{BASE}Question {number}?")
    await served.complete("a secret of the other account", served.other_key)
    app = Top(served.url, served.key, EVERY)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: len(column(app, 4)) == 2)
        assert "fake-model" in text(app, "state")
        assert "0 being answered\n0 computing, 0 waiting in the engine\n" in text(app, "requests")
        assert "since the server's start" in text(app, "reuse")
        assert "of 100,000 tokens" in text(app, "memory")
        # The shared beginning first; the other account's text is not shown to its administrator either.
        assert column(app, 4)[0] == f"{BASE}Question"
        assert column(app, 0)[0] == "2"
        assert not [shown for shown in column(app, 4) if "secret" in shown]
        assert [shown for shown in column(app, 4) if shown.startswith("acct_")]
        before = text(app, "reuse")
        await served.complete(f"{BASE}Question 7?")
        await until(pilot, lambda: column(app, 0)[0] == "3")
        assert text(app, "reuse") != before
        shown = app.export_screenshot(title="radixa top")
        assert all(word in shown for word in ("Requests", "Hit", "KV", "hottest", "Pause"))


async def test_keys_sort_pause_and_quit(served: Served) -> None:
    await served.complete("hot beginning, one")
    await served.complete("hot beginning, two")
    await served.complete("a cold and much longer prompt that nobody ever asked for a second time")
    app = Top(served.url, served.key, EVERY)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: len(column(app, 4)) >= 2)
        assert column(app, 4)[0] == "hot beginning,"
        await pilot.press("s", "s")
        assert column(app, 4)[0].startswith("a cold and much longer")
        assert "tokens ↓" in [str(found.label) for found in app.query_one(DataTable).columns.values()]
        await pilot.press("s", "s")
        assert column(app, 4)[0] == "hot beginning,"

        await pilot.press("p")
        assert text(app, "state").endswith("paused")
        # What was under way when it was paused may still come; then nothing does.
        await pilot.pause(5 * EVERY)
        reading = app._reading
        await served.complete("hot beginning, three")
        await pilot.pause(5 * EVERY)
        assert app._reading is reading
        await pilot.press("p")
        await until(pilot, lambda: column(app, 0)[0] == "2")
        await pilot.press("q")
    assert app.return_code == 0


async def test_a_server_that_goes_away_and_returns(served: Served) -> None:
    await served.complete(f"{BASE}First?")
    await served.complete(f"{BASE}Second?")
    app = Top(served.url, served.key, EVERY)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: bool(column(app, 4)))
        rows = column(app, 4)
        await served.stop()
        await until(pilot, lambda: "away for" in text(app, "state"))
        assert "no server answers" in text(app, "state")
        assert app.query_one("#body").has_class("-away")
        assert column(app, 4) == rows
        # Another process at the same address, whose counters begin anew.
        await served.start()
        await until(pilot, lambda: "away" not in text(app, "state"))
        assert not app.query_one("#body").has_class("-away")
        await until(pilot, lambda: column(app, 4) == [])
        await served.complete("something else entirely")
        await until(pilot, lambda: column(app, 4) == ["something else entirely"])


async def test_without_a_key_the_figures_are_there_and_the_tree_is_not(served: Served) -> None:
    await served.complete(f"{BASE}First?")
    app = Top(served.url, None, EVERY)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "of 100,000 tokens" in text(app, "memory"))
        assert "/v1/cache: 401" in text(app, "notes")
        assert app.query_one("#notes").display
        assert column(app, 0) == []
    app = Top(served.url, served.other_key, EVERY)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "fake-model" in text(app, "state"))
        assert not app.query_one("#notes").display
        assert column(app, 0) == []


async def test_every_size_of_terminal(served: Served) -> None:
    await served.complete(BASE * 3)
    app = Top(served.url, served.key, EVERY)
    async with app.run_test(size=(40, 12)) as pilot:
        await until(pilot, lambda: app.query_one(DataTable).row_count == 1)
        table = app.query_one(DataTable)
        for width, height in ((40, 12), (50, 30), (80, 24), (200, 50)):
            await pilot.resize_terminal(width, height)
            await until(pilot, lambda wide=width >= 80: len(table.columns) == (5 if wide else 3))
            assert sum(column.get_render_width(table) for column in table.columns.values()) <= width
            assert table.size.height >= 4
            for name in ("requests", "memory"):
                assert 0 < app.query_one(f"#{name}").size.width <= width


async def test_one_document_where_there_is_no_screen(served: Served) -> None:
    await served.complete(f"{BASE}First?")
    await served.complete(f"{BASE}Second?")
    found = json.loads(json.dumps(await _once(served.url, served.key, EVERY)))
    assert found["model"] == "fake-model"
    assert found["hottest"][0]["text"] == BASE
    assert (found["answering"], found["generated_per_second"]) == (0, 0)
    assert found["tiers"][0]["capacity"] == 100_000


def test_the_command(radixa: Radixa, tmp_path: Path) -> None:
    wrong = radixa("top")
    assert wrong.code == 2
    assert "needs a terminal" in wrong.err
    with served_in_a_thread(tmp_path) as url:
        found = radixa("top", "--json", "--every", "0.2", "--url", f"{url}/v1")
    assert found.code == 0
    assert json.loads(found.out)["notes"] == []
    gone = radixa("top", "--json", "--url", url)
    assert gone.code == 1
    assert "no server answers" in gone.err


async def test_old_figures_are_said_to_be_old(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Top(served.url, served.key, EVERY)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "fake-model" in text(app, "state"))
        assert "old" not in text(app, "state")
        # The engine is in the middle of a long step.
        held = asyncio.Event()
        stats = served.engine.stats

        async def slow() -> EngineStats:
            await held.wait()
            return await stats()

        monkeypatch.setattr(served.engine, "stats", slow)
        monkeypatch.setattr("radixa.cli.top.screen.SLOW_SECONDS", 0.2)
        await until(pilot, lambda: "slow to answer" in text(app, "state"))
        held.set()
        await until(pilot, lambda: "slow to answer" not in text(app, "state"))


async def test_a_server_that_never_answers_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radixa.cli.top.source.PATIENCE_SECONDS", 0.05)
    held: list[asyncio.StreamWriter] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        app = Top(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", None, EVERY)
        async with app.run_test() as pilot:
            await until(pilot, lambda: "does not answer within" in text(app, "state"))
