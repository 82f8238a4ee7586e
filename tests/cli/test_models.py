from __future__ import annotations

import json
from pathlib import Path

from .conftest import Radixa


def test_what_there_is_without_a_server(radixa: Radixa, home: Path) -> None:
    rows = {row["id"]: row["radixa"] for row in json.loads(radixa("models", "--json").out)}
    assert rows["smollm2"]["fetched"] is False
    assert rows["deepseek-chat"]["prices_usd_per_mtok"] == {
        "input": 0.42,
        "cached_input": 0.042,
        "cache_write": 0.42,
        "output": 0.42,
    }
    assert rows["gpt-4.1"]["limits"] == {"rpm": 500, "tpm": 150_000}
    shown = radixa("models").out
    assert "claude-3-5-sonnet" in shown
    assert "radixa pull fetches it" in shown
    # Nobody answers yet, least of all an upstream provider.
    assert "answered by" not in shown
    assert shown.split()[:2] == ["model", "provider"]
    assert "calls no upstream provider" in shown


def test_entries_of_ones_own(radixa: Radixa, home: Path) -> None:
    Path("radixa.toml").write_text(
        "[[models]]\nid = 'mine'\nprovider = 'openai'\n[[models]]\nid = 'gpt-4.1'\nprovider = 'radixa'\n"
        "prices = [{ input = 1.0, cached_input = 0.1, output = 2.0, since = '2020-01-01' }]\n"
    )
    rows = {row["id"]: row["radixa"] for row in json.loads(radixa("models", "--json").out)}
    assert rows["mine"]["prices_usd_per_mtok"] is None
    assert rows["gpt-4.1"]["prices_usd_per_mtok"]["output"] == 2.0
    assert "unknown" in radixa("models").out
