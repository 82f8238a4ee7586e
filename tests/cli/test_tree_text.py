from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.cli.tree_text import bar, lines, short, show


def node(name: int, parent: int, tokens: int, text: str | None, *, locked: bool = False) -> dict[str, Any]:
    return {"id": name, "parent": parent, "tokens": tokens, "text": text, "hits": 3, "last_use": 5.0, "locked": locked}


NODES = [
    node(1, 0, 800, "You are <b>kind</b> & brief."),
    node(2, 1, 60, "How tall is it?", locked=True),
    node(3, 1, 61, None),
    node(4, 0, 7, "alone"),
]


def shown(nodes: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> list[str]:
    show(nodes, "http://[::1]:8000")
    return capsys.readouterr().out.splitlines()


def test_a_line_has_widths_hits_and_ages(capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [found | {"age": 7200.0, "namespace": "acct_1"} for found in NODES]
    heading, columns, *rows, legend = shown(nodes, capsys)
    assert heading == "http://[::1]:8000: 4 nodes, 928 tokens"
    assert columns.split() == ["tokens", "of", "all", "own", "hits", "used", "made"]
    assert rows[0].split()[:6] == ["921", "███████████████▉", "800", "3", "5s", "2h"]
    assert rows[0].endswith("  You are <b>kind</b> & brief.")
    # The larger branch first, and what may not be read by its owner's name.
    assert rows[1].endswith("├ acct_1")
    assert rows[2].endswith("└ [in use] How tall is it?")
    assert rows[3].endswith("  alone")
    assert rows[3].split()[:2] == ["7", "▏"]
    assert legend.startswith("tokens: of a node and all below it")


def test_what_keeps_a_node_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    kept = node(1, 0, 8, "rules") | {"pin": True, "priority": True, "expiry": 59.7, "role": "system"}
    kept["session_id"] = "<b>\x1b[2J"
    assert "[pinned, high priority, kept 60 s, system, session <b>␛[2J] rules" in shown([kept], capsys)[2]


def test_prompts_are_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    out = "\n".join(shown([node(1, 0, 5, "[/x] \x1b]0;title\x07 :key:")], capsys))
    assert "[/x] ␛]0;title␇ :key:" in out
    assert "\x1b" not in out


def test_an_empty_cache(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown([], capsys) == ["http://[::1]:8000: 0 nodes, 0 tokens", "The cache is empty."]


def test_a_conversation_goes_straight_down_and_deep_branches_stay_in_sight() -> None:
    chain = list(lines([node(i, i - 1, 1, f"t{i}") for i in range(1, 3_001)]))
    assert chain[0].tokens == 3_000
    assert {line.guide for line in chain[1:]} == {"↳ "}
    # Each level has a leaf beside the branch that goes on.
    comb = [made for i in range(1, 99) for made in (node(2 * i, 2 * i - 2, 5, "on"), node(2 * i + 1, 2 * i - 2, 1, ""))]
    guides = [line.guide for line in lines(comb)]
    assert len(guides) == len(comb)
    assert max(map(len, guides)) < 40
    assert any(guide.endswith("90› ") for guide in guides)


def test_a_narrow_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    monkeypatch.setattr("radixa.cli.tree_text.console", lambda: Console(width=40, markup=False, highlight=False))
    found = shown([node(1, 0, 800, "x" * 100) | {"age": 1.0}], capsys)
    assert max(map(len, found[1:3])) <= 40
    assert found[2].split()[:2] == ["800", "5s"]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 99)), max_size=30))
def test_every_node_is_drawn_once_and_tokens_add_up(made: list[tuple[int, int]]) -> None:
    nodes = [node(i, min(parent, i - 1), tokens, "") for i, (parent, tokens) in enumerate(made, 1)]
    found = list(lines(nodes))
    assert sorted(line.node["id"] for line in found) == list(range(1, len(nodes) + 1))
    tops = sum(line.tokens for line in found if line.node["parent"] == 0)
    assert tops == sum(tokens for _, tokens in made)


def test_orphans_are_at_the_top() -> None:
    assert [(line.guide, line.tokens) for line in lines([node(9, 8, 4, "orphan"), node(10, 9, 2, "below")])] == [
        ("", 6),
        ("↳ ", 2),
    ]


@given(st.floats(0, 1))
def test_bars_are_as_wide_as_their_share(share: float) -> None:
    text = bar(share, 16)
    assert len(text) == 16
    filled = text.count("█")
    assert filled <= 16 * share + 0.07
    assert filled >= int(16 * share - 0.07)
    assert text.strip()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0s"), (59.4, "59s"), (59.9, "1m"), (5400, "2h"), (3599, "1h"), (200_000, "2d")]
)
def test_short_ages(seconds: float, text: str) -> None:
    assert short(seconds) == text
