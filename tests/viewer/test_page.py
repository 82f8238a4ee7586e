"""`radix_cache.html` as text: what is in it, and what no text in it can do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from radixa.viewer.assets import LANGUAGES, SCRIPTS, STATIC, words
from radixa.viewer.facts import facts
from radixa.viewer.page import page

LEAST = {"id": 1, "parent": 0, "tokens": 5, "text": "kept", "hits": 1, "last_use": 0.0, "locked": False}
BAD = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> \u2028 \"'"


class Reader(HTMLParser):
    """Elements in order, and the text within each script by its id."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.styles = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            name = self.elements[-1][1].get("id") or "program"
            self.scripts[name] = self.scripts.get(name, "") + data
        elif self.open and self.open[-1] == "style":
            self.styles += data


def read(markup: str) -> Reader:
    reader = Reader()
    reader.feed(markup)
    reader.close()
    assert reader.open == []
    return reader


def nodes_of(reader: Reader) -> list[dict[str, Any]]:
    table, texts = json.loads(reader.scripts["radixa-nodes"]), json.loads(reader.scripts["radixa-texts"])
    rows = [dict(zip(table["fields"], row, strict=True)) for row in table["nodes"]]
    return [row | {"text": text} for row, text in zip(rows, texts, strict=True)]


def test_it_is_small_and_says_what_it_shows() -> None:
    markup = page([LEAST, LEAST | {"id": 2, "tokens": 1_000}], "http://x")
    assert len(markup.encode()) < 300_000
    assert "2 nodes, 1,005 tokens" in markup
    assert "http://x" in markup
    assert "kept" in markup


def test_texts_are_as_they_are() -> None:
    text = 'Seoul: 서울 "and" a line\nmore'
    markup = page([LEAST | {"text": text}], "http://x")
    assert "Seoul: 서울" in markup
    assert nodes_of(read(markup))[0]["text"] == text


def test_a_source_may_know_little_of_a_node() -> None:
    (found,) = nodes_of(read(page([LEAST], "x")))
    assert {name: found[name] for name in LEAST} == LEAST
    assert (found["namespace"], found["expiry"], found["tier"]) == (None, None, None)


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.just(BAD))
def test_no_text_is_markup(text: str) -> None:
    plain = read(page([LEAST], "x"))
    found = read(page([LEAST | {"text": text, "session_id": text, "role": text, "namespace": text}], "x"))
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in plain.elements]
    assert found.scripts["program"] == plain.scripts["program"]
    (node,) = nodes_of(found)
    assert (node["text"], node["session_id"], node["role"], node["namespace"]) == (text,) * 4


def test_neither_is_the_address() -> None:
    found = read(page([], BAD))
    assert [tag for tag, _ in found.elements].count("script") == 4
    assert "img" not in [tag for tag, _ in found.elements]


def test_half_a_character_does_not_keep_the_file_from_being_written() -> None:
    assert "\ufffd" in page([LEAST | {"text": "a\ud83d"}], "x").encode().decode()


def test_it_asks_nobody_for_anything() -> None:
    reader = read(page([LEAST], "http://x"))
    assert not [attrs for _, attrs in reader.elements if {"src", "href", "style"} & attrs.keys()]
    policy = next(attrs["content"] for tag, attrs in reader.elements if attrs.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    # Nothing runs but the one script, and nothing is styled but by the one style.
    for text in (reader.scripts["program"], reader.styles):
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy


def test_an_empty_cache() -> None:
    markup = page([], "http://x")
    assert "The cache is empty" in markup
    assert nodes_of(read(markup)) == []


def test_every_language_has_every_word() -> None:
    keys = [set(words(language)) for language in LANGUAGES]
    assert keys[0] == keys[1]
    for key in keys[0]:
        holes = [set(re.findall(r"\{\w+\}", words(language)[key])) for language in LANGUAGES]
        assert holes[0] == holes[1], key


def test_every_word_that_the_script_asks_for_is_there() -> None:
    script = "\n".join((STATIC / name).read_text("utf-8") for name in SCRIPTS)
    asked = set(re.findall(r'(?:R\.)?\bt\("([\w.]+)"', script))
    assert len(asked) > 60
    assert asked <= words("en").keys()
    # Those that are put together, by their beginning.
    for beginning in set(re.findall(r"R\.t\(`([\w.]+)\$\{", script)):
        assert any(key.startswith(beginning) for key in words("en")), beginning
    assert words("en").keys() - asked - set(re.findall(r'"([\w]+\.[\w.]+)"', script)) <= {
        key
        for key in words("en")
        if key.split(".")[0] in ("mode", "tier", "role", "file") or key.startswith("act.did_")
    }


def test_what_a_hit_saves() -> None:
    def model(name: str, given: str | None, cached: str | None) -> dict[str, Any]:
        return {"id": name, "radixa": {"prices_usd_per_mtok": {"input": given, "cached_input": cached}}}

    free, dear, known = model("own", "0", "0"), model("dear", "10", "1"), model("deepseek-chat", "0.28", "0.028")
    unknown: dict[str, Any] = {"id": "unknown", "radixa": {"prices_usd_per_mtok": None}}
    assert facts(4, 100, [free, unknown]) == {"bytes_per_token": 4, "capacity": 100}
    assert facts(None, None, [free, dear, model("half", "1", None)])["price"] == {"model": "dear", "usd_per_mtok": 9.0}
    assert facts(None, None, [dear, known])["price"] == {"model": "deepseek-chat", "usd_per_mtok": 0.252}
    assert facts(None, None, [{"id": "of another make"}]) == {}
