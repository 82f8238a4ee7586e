from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from radixa.cli.common import age
from radixa.viewer.lines import excerpt

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
