from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.cli.monthly import amount, costs, month

from .conftest import Radixa


def test_what_there_is_without_a_server(radixa: Radixa, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-mine")
    rows = {row["id"]: row["radixa"] for row in json.loads(radixa("models", "--json").out)}
    assert rows["smollm2"]["fetched"] is False
    assert rows["deepseek-chat"]["prices_usd_per_mtok"] == {
        "input": 0.42,
        "cached_input": 0.042,
        "cache_write": 0.42,
        "output": 0.42,
    }
    assert rows["gpt-4.1"]["limits"] == {"rpm": 500, "tpm": 150_000}
    assert rows["gpt-4.1"]["missing"] == "no key: set OPENAI_API_KEY"
    assert "missing" not in rows["deepseek-chat"]
    assert "missing" not in rows["wordllama-l2-supercat-256"]
    shown = radixa("models").out
    assert "claude-3-5-sonnet" in shown
    assert rows["claude-3-5-sonnet"]["retires"] == "2026-11-30"
    assert rows["claude-3-5-sonnet"]["successor"] == "claude-sonnet-5-5"
    assert "2026-11-30, then claude-sonnet-5-5" in " ".join(shown.split())
    assert "radixa pull fetches it" in shown
    # Nobody answers yet, least of all an upstream provider.
    assert "answered by" not in shown
    assert shown.split()[:2] == ["model", "provider"]
    assert "where its provider has a key" in shown
    assert "sk-mine" not in shown


def test_a_package_that_is_not_there(radixa: Radixa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radixa.providers.wordllama.files.find_spec", lambda name: None)
    rows = {row["id"]: row["radixa"] for row in json.loads(radixa("models", "--json").out)}
    assert rows["wordllama-l2-supercat-256"]["missing"] == "no package: pip install 'radixa[embeddings]'"


def test_entries_of_ones_own(radixa: Radixa, home: Path) -> None:
    Path("radixa.toml").write_text(
        "[[models]]\nid = 'mine'\nprovider = 'house'\n[[models]]\nid = 'gpt-4.1'\nprovider = 'radixa'\n"
        "prices = [{ input = 1.0, cached_input = 0.1, output = 2.0, since = '2020-01-01' }]\n"
    )
    rows = {row["id"]: row["radixa"] for row in json.loads(radixa("models", "--json").out)}
    assert rows["mine"]["prices_usd_per_mtok"] is None
    assert rows["mine"]["missing"] == "no [providers.house]"
    assert rows["gpt-4.1"]["prices_usd_per_mtok"]["output"] == 2.0
    assert "missing" not in rows["gpt-4.1"]
    assert "unknown" in radixa("models").out


def test_what_a_month_costs(radixa: Radixa, home: Path) -> None:
    Path("radixa.toml").write_text("[[models]]\nid = 'unpriced'\nprovider = 'openai'\n")
    rows = {row["id"]: row["monthly"] for row in json.loads(radixa("models", "--monthly", "10M", "--json").out)}
    # 8 M tokens of prompts, 6.4 M of them cached, and 2 M of answers, at 0.42 and 0.042 $ a million.
    assert rows["deepseek-chat"] == {
        "prompt_tokens": 8_000_000,
        "completion_tokens": 2_000_000,
        "cached_tokens": 6_400_000,
        "uncached_nano_usd": 4_200_000_000,
        "cost_nano_usd": 1_780_800_000,
        "saved_nano_usd": 2_419_200_000,
    }
    assert rows["smollm2"]["cost_nano_usd"] == 0
    assert rows["unpriced"]["cost_nano_usd"] is rows["unpriced"]["uncached_nano_usd"] is None
    shown = radixa("models", "--monthly", "10M").out
    line = next(line for line in shown.splitlines() if line.startswith("deepseek-chat"))
    assert line.split() == ["deepseek-chat", "4.2", "1.7808", "2.4192"]
    assert "8,000,000 of prompts, of which 6,400,000 are cached" in shown
    assert "unknown" in shown


def test_other_shares(radixa: Radixa, home: Path) -> None:
    out = radixa("models", "--monthly", "1.5B", "--hit-rate", "0", "--output-share", "0.001", "--json").out
    row = next(row["monthly"] for row in json.loads(out) if row["id"] == "gpt-4.1")
    assert (row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"]) == (1_498_500_000, 1_500_000, 0)
    assert row["saved_nano_usd"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--monthly", "many"),
        ("--monthly", "0"),
        ("--monthly", "-1"),
        ("--monthly", "1.0005k"),
        ("--monthly", "2000000B"),
        ("--monthly", "1M", "--hit-rate", "1.1"),
        ("--monthly", "1M", "--output-share", "-0.1"),
    ],
)
def test_amounts_that_are_none(radixa: Radixa, home: Path, arguments: tuple[str, ...]) -> None:
    found = radixa("models", *arguments)
    assert found.code == 2
    assert "Traceback" not in found.err


@pytest.mark.parametrize(
    ("text", "tokens"), [("123", 123), ("10M", 10_000_000), ("10m", 10_000_000), ("1.5k", 1500), ("2G", 2 * 10**9)]
)
def test_amounts(text: str, tokens: int) -> None:
    assert amount(text) == tokens


@given(
    st.integers(1, 10**12),
    st.integers(0, 1000).map(lambda n: n / 1000),
    st.integers(0, 1000).map(lambda n: n / 1000),
    st.tuples(*[st.integers(0, 10**8)] * 4),
)
def test_a_months_cost_is_exact(tokens: int, share: float, rate: float, micro: tuple[int, ...]) -> None:
    """Against the same sum in thousandths and pico-dollars."""
    wanted = month(tokens, share, rate)
    answers = tokens * round(share * 1000) // 1000
    assert wanted.completion_tokens == answers
    assert wanted.cached_tokens == (tokens - answers) * round(rate * 1000) // 1000
    prices = {name: n / 1e6 for name, n in zip(("input", "cached_input", "cache_write", "output"), micro, strict=True)}
    found = costs(wanted, prices, "m")
    plain, cached, _, output = micro
    prompt, hits = wanted.prompt_tokens, wanted.cached_tokens
    pico = (prompt - hits) * plain + hits * cached + answers * output
    assert found["cost_nano_usd"] == (2 * pico + 1000) // 2000
    assert found["uncached_nano_usd"] == (2 * (prompt * plain + answers * output) + 1000) // 2000
