"""`radixa docs`: in the database of this installation, and at a server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from radixa.cli.doc_files import documents_in
from radixa.core.config import Config, EngineConfig, StoreConfig
from radixa.gateway.app import App
from radixa.gateway.auth import KeyRing
from radixa.gateway.state import Gateway
from radixa.store.first import ensure_first_account
from radixa.store.sql import open_store
from tests.cli.conftest import Radixa
from tests.gateway.dialects.scripted import listening

KEY = "rx-key-of-these-tests-0123456789"


@pytest.fixture
def folder(home: Path) -> Path:
    """Some files in the current folder."""
    files = {
        "docs/keys.md": "# Keys\n\nA key is revoked by `radixa keys revoke`.",
        "docs/deep/money.html": "<h1>Money</h1><p>Prices are integers.</p>",
        "docs/picture.png": "no text",
        "docs/.hidden.md": "hidden",
        "LICENSE": "Apache",
    }
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, "utf-8")
    return Path.cwd()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a gateway without an engine, in a thread."""
    store = open_store(StoreConfig(), tmp_path / "server.db")
    store.create_key(ensure_first_account(store).id, "first", secret=KEY)
    up, stop = threading.Event(), asyncio.Event()
    found: list[str] = []
    loop = asyncio.new_event_loop()

    async def run() -> None:
        gateway = Gateway(Config(engine=EngineConfig(enabled=False)), store, KeyRing(store), tmp_path)
        await gateway.start()
        async with listening(App(gateway)) as url:
            found.append(url)
            up.set()
            await stop.wait()
        await gateway.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert up.wait(60)
    yield found[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(60)
    loop.close()
    store.close()


def test_files_are_taken_by_their_kinds(folder: Path) -> None:
    assert documents_in([folder / "docs", folder / "LICENSE", folder / "LICENSE"]) == [
        ("deep/money.html", folder / "docs/deep/money.html"),
        ("keys.md", folder / "docs/keys.md"),
        ("LICENSE", folder / "LICENSE"),
    ]


@pytest.mark.parametrize("where", ["here", "there"])
def test_from_adding_to_removing(
    radixa: Radixa, folder: Path, server: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "there":
        monkeypatch.setenv("RADIXA_BASE_URL", f"{server}/v1")
        monkeypatch.setenv("RADIXA_API_KEY", KEY)
    added = radixa("docs", "add", "handbook", "docs", "LICENSE")
    assert (added.code, added.out) == (0, "handbook: 3 documents, 3 passages added\n")
    assert "Adding to handbook" in added.err
    (row,) = json.loads(radixa("docs", "list", "--json").out)
    assert (row["name"], row["documents"], row["object"]) == ("handbook", 3, "collection")
    assert "handbook" in radixa("docs", "list").out
    assert "deep/money.html" in radixa("docs", "list", "handbook").out
    found = radixa("docs", "search", "handbook", "revoke a key", "-k", "1")
    assert found.out == "1  keys.md\nKeys\n\nA key is revoked by `radixa keys revoke`.\n"
    (passage,) = json.loads(radixa("docs", "search", "handbook", "revoke", "-k", "1", "--json").out)
    assert (passage["rank"], passage["document"]) == (1, "keys.md")
    assert radixa("docs", "remove", "handbook", "keys.md").out == "the document keys.md is removed\n"
    assert json.loads(radixa("docs", "remove", "handbook", "--json").out)["deleted"] is True
    gone = radixa("docs", "list", "handbook")
    assert gone.code == 1
    assert "radixa docs add handbook" in gone.err


def test_nothing_to_add_is_wrong_use(radixa: Radixa, folder: Path) -> None:
    Path("empty").mkdir()
    assert radixa("docs", "add", "handbook", "empty").code == 2
    assert radixa("docs", "add", "handbook", "absent.md").code == 2


@pytest.mark.parametrize("where", ["here", "there"])
def test_the_others_of_a_folder_are_added(
    radixa: Radixa, folder: Path, server: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "there":
        monkeypatch.setenv("RADIXA_BASE_URL", server)
        monkeypatch.setenv("RADIXA_API_KEY", KEY)
    Path("docs/broken.md").write_bytes(b"caf\xe9")
    done = radixa("docs", "add", "handbook", "docs")
    assert (done.code, done.out) == (1, "handbook: 2 documents, 2 passages added\n")
    assert "not added: " in done.err
    assert "'broken.md' is no text in UTF-8" in done.err


def test_two_files_of_one_name_are_refused(radixa: Radixa, folder: Path) -> None:
    Path("keys.md").write_text("other")
    done = radixa("docs", "add", "handbook", "docs", "keys.md")
    assert done.code == 1
    assert "docs/keys.md and keys.md would both be the document 'keys.md'" in done.err
    assert "handbook" not in radixa("docs", "list").out


def test_a_file_that_is_no_text_is_named(radixa: Radixa, folder: Path) -> None:
    Path("broken.md").write_bytes(b"caf\xe9")
    failed = radixa("docs", "add", "handbook", "broken.md")
    assert failed.code == 1
    assert "'broken.md' is no text in UTF-8" in failed.err
