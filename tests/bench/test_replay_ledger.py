"""A ledger replays as what it is: blocks of 64 tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radixa.bench.replay import replay
from radixa.core.config import StoreConfig
from radixa.core.errors import ConfigError, InvalidRequest, TraceError
from radixa.core.tokens import pack
from radixa.store.first import ensure_first_account
from radixa.store.ledger.blocks import block_names
from radixa.store.ledger.sql import SqlLedger
from radixa.store.sql import open_store
from tests.cli.conftest import Radixa, home, radixa
from tests.cli.serving import served
from tests.store.ledger.rows import NOON, row

__all__ = ["home", "radixa"]

SECRET = b"s" * 32
PROMPTS = [list(range(300)), list(range(300)), list(range(200)) + [7] * 100, [9] * 40]
"""Of 300 tokens four blocks are whole; the last has none."""


def fill(url: str = "", default: Path | None = None) -> str:
    """A ledger with each prompt once in two namespaces; returns its account."""
    store = open_store(StoreConfig(url=url), default)
    account = ensure_first_account(store).id
    rows = [
        row(
            f"req_{space}_{at}",
            NOON + at,
            account_id=account,
            prompt_tokens=len(prompt),
            blocks=block_names(SECRET, space, pack(prompt)),
        )
        for space in ("one", "two")
        for at, prompt in enumerate(PROMPTS)
    ]
    SqlLedger(store.engine).add(rows)
    store.close()
    return account


def test_hits_and_bound_by_hand(tmp_path: Path) -> None:
    fill(default=tmp_path / "radixa.db")
    (found,) = replay(tmp_path / "radixa.db", ["lru"], [100])
    # Oldest first, and at the same time by id: nothing, all four blocks, the first three, in either namespace.
    assert found.hits == (0, 0, 256, 256, 192, 192)
    assert found.requests == 6
    assert found.prompt_tokens == 6 * 300
    assert found.hit_rate == found.bound == found.belady == 14 / 24
    (small,) = replay(f"sqlite:///{tmp_path / 'radixa.db'}", ["lru"], [4])
    assert small.hit_tokens < small.belady * 24 * 64 < found.hit_tokens


def test_a_database_server(postgres_schema: str) -> None:
    fill(postgres_schema)
    (found,) = replay(postgres_schema, ["lru"], [100])
    assert found.hits == (0, 0, 256, 256, 192, 192)


def test_a_running_server_answers_alike(radixa: Radixa, home: Path) -> None:
    fill(default=home / "radixa.db")
    local = json.loads(radixa("replay", str(home / "radixa.db"), "--json", "--per-request").out)
    assert local["hits"] == [0, 0, 256, 256, 192, 192]
    with served(home) as url:
        remote = json.loads(radixa("replay", url, "--json", "--per-request").out)
    local.pop("timing_us")
    remote.pop("timing_us")
    assert remote == local
    assert radixa("replay", str(home / "radixa.db")).out.startswith("6 requests, 1,800 prompt tokens")


def test_what_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no such file"):
        replay(f"sqlite:///{tmp_path / 'missing.db'}", ["lru"], [1])
    assert not (tmp_path / "missing.db").exists()
    with pytest.raises(ConfigError, match="expected sqlite"):
        replay("mongodb://localhost/x", ["lru"], [1])
    open_store(StoreConfig(), tmp_path / "radixa.db").close()
    with pytest.raises(TraceError, match="no request with known blocks"):
        replay(tmp_path / "radixa.db", ["lru"], [1])
    fill(default=tmp_path / "radixa.db")
    with pytest.raises(InvalidRequest, match="pages of 64 tokens already"):
        replay(tmp_path / "radixa.db", ["lru"], [1], page_size=16)
