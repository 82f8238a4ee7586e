from __future__ import annotations

import json
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from radixa.cli.common import age
from radixa.cli.tree import show
from radixa.lang.tree_page import excerpt, page

from .conftest import Radixa
from .serving import served


def node(name: int, parent: int, tokens: int, text: str | None, *, locked: bool = False) -> dict[str, Any]:
    return {"id": name, "parent": parent, "tokens": tokens, "text": text, "hits": 3, "last_use": 5.0, "locked": locked}


NODES = [
    node(1, 0, 800, "You are <b>kind</b> & brief."),
    node(2, 1, 60, "How tall is it?", locked=True),
    node(3, 1, 61, None),
    node(4, 0, 7, "alone"),
]


class Reader(HTMLParser):
    """Checks that elements close in order, and collects texts by depth of nesting."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.deepest = 0
        self.texts: list[tuple[int, str]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)
            self.deepest = max(self.deepest, self.open.count("details"))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open.count("details"), data.strip()))


def read(markup: str) -> Reader:
    reader = Reader()
    reader.feed(markup)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_nests_as_the_tree_does() -> None:
    reader = read(page(NODES, "http://x"))
    depths = {text: depth for depth, text in reader.texts}
    assert depths["You are <b>kind</b> & brief."] == 1
    assert depths["How tall is it?"] == 2
    assert depths["alone"] == 1
    assert depths["in use"] == 2
    assert "b" not in reader.tags
    assert "4 nodes, 928 tokens" in page(NODES, "http://x")


def test_what_keeps_a_node_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    kept = node(1, 0, 8, "rules") | {"pin": True, "priority": True, "expiry": 59.7, "role": "system"}
    kept["session_id"] = "<b>\x1b[2J"
    expected = ["pinned", "high priority", "kept 60 s", "system", "session <b>␛[2J"]
    reader = read(page([kept], "http://x"))
    assert [text for _, text in reader.texts if text in expected] == expected
    show([kept], "http://x")
    assert ", ".join(expected) in capsys.readouterr().out


def test_the_page_needs_nothing_else() -> None:
    markup = page(NODES, "http://x")
    assert "<script" not in markup
    assert "src=" not in markup
    assert "<link" not in markup
    assert "prefers-color-scheme: dark" in markup


def test_a_deep_tree() -> None:
    depth = 3_000
    reader = read(page([node(i, i - 1, 1, f"t{i}") for i in range(1, depth + 1)], "http://x"))
    assert reader.deepest == depth


def test_nodes_whose_parent_was_left_out_are_shown() -> None:
    assert (1, "orphan") in read(page([node(9, 8, 4, "orphan")], "http://x")).texts


def test_an_empty_cache() -> None:
    assert "The cache is empty." in page([], "http://x")


def test_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    show(NODES, "http://x")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "http://x: 4 nodes, 928 tokens"
    assert lines[1].startswith("├── 800 tokens, 3 hits, 5 s ago")
    assert lines[2].startswith("│   ├── 60 tokens")
    assert "How tall is it?" in lines[2]
    assert lines[4].startswith("└── 7 tokens")


def test_prompts_are_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    show([node(1, 0, 5, "[/x] \x1b]0;title\x07 :key:")], "http://[::1]:8000")
    found = capsys.readouterr().out
    assert "[/x] ␛]0;title␇ :key:" in found
    assert found.startswith("http://[::1]:8000: 1 nodes")
    assert "\x1b" not in found


def test_excerpts_show_both_ends() -> None:
    assert excerpt("a  b\nc") == "a b c"
    assert excerpt("x" * 50 + "y" * 50, 60) == "x" * 40 + " … " + "y" * 20
    assert excerpt(None) == ""


@pytest.mark.parametrize(("seconds", "text"), [(3.2, "3 s ago"), (150, "2 min ago"), (5400, "1.5 h ago")])
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text


def complete(url: str, prompt: str) -> None:
    asked = urllib.request.Request(f"{url}/v1/completions", json.dumps({"prompt": prompt, "max_tokens": 1}).encode())
    urllib.request.urlopen(asked, timeout=10).close()


def test_a_large_tree_comes_in_pages(radixa: Radixa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radixa.cli.tree.PAGE", 3)
    with served(tmp_path) as url:
        for letter in "abcdefgh":
            complete(url, f"{letter} alone")
        whole = radixa("tree", "--url", url, "--json")
        texts = [node["text"] for node in json.loads(whole.out)["data"]]
        assert sorted(texts) == [f"{letter} alone" for letter in "abcdefgh"]
        assert whole.err == ""
        for letter in "ab":
            complete(url, f"{letter} alone and more")
        cut = radixa("tree", "--url", url, "--limit", "7")
        assert cut.code == 0
        assert cut.out.splitlines()[0].startswith(f"{url}: 7 nodes")
        assert "There is more: these are the first 7 nodes" in cut.err
        # As many as there are is all of them.
        assert radixa("tree", "--url", url, "--limit", "10").err == ""
        assert "8 nodes" in radixa("tree", "--url", url, "--depth", "1").out
        page = radixa("tree", "--url", url, "--limit", "5", "--out", str(tmp_path / "tree.html"))
        assert "5 nodes" in (tmp_path / "tree.html").read_text("utf-8")
        assert "There is more" in page.err
        assert radixa("tree", "--url", url, "--limit", "0").code == 2
