from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from rich.console import Console

from radixa.bench.ceilings import Machine
from radixa.bench.engine import EngineReport, Row
from radixa.bench.engine_table import engine_table
from radixa.bench.page import page
from radixa.bench.tables import scenario_table, summary_table

from .reports import some_report


def printed(table: object) -> str:
    screen = io.StringIO()
    Console(file=screen, width=200).print(table)
    return screen.getvalue()


def test_json() -> None:
    figures = some_report().as_json()
    assert figures["hit_rate"] == 0.9
    assert figures["bound"] == 0.91
    assert figures["cost_saved_percent"] == 81.0
    assert figures["total_cost_saved_percent"] == pytest.approx(73.64)
    assert figures["ttft_saved_percent"] == 75.0
    assert figures["time_saved_percent"] == 50.0
    assert figures["reuse"] == {
        "prompt_tokens": 1000,
        "cached_tokens": 900,
        "prompt_tokens_computed": 100,
        "completion_tokens": 80,
        "prompt_cost_usd": 0.000019,
        "total_cost_usd": 0.000029,
        "ttft_p50_ms": 50.0,
        "ttft_p95_ms": 100.0,
        "tokens_per_second": 20.0,
        "seconds": 4.0,
    }


def test_tables() -> None:
    one = printed(scenario_table(some_report()))
    for text in ("10 requests", "90.0 %", "bound 91.0 %", "1,000", "81.0 %", "200 ms", "50 ms", "75.0 %", "2.0 ×"):
        assert text in one
    summary = printed(summary_table([some_report(), some_report("rag")]))
    assert "1,000 → 100" in summary
    assert "200 → 50 ms" in summary
    assert "The rag <case>" in summary


def test_engine_table() -> None:
    machine = Machine("A CPU", 2, "2.13", 2e11, 8e11)
    rows = [Row("prefill:512", 1, {"tokens_per_s": 1234.5}, 0.61), Row("mixed", 256, {"out_per_s": 7.0})]
    shown = " ".join(printed(engine_table(EngineReport(machine, "m", "float32", "a", "o", rows))).split())
    for text in ("A CPU", "200 GFLOP/s in float32, 800 in bfloat16", "prefill:512", "1,234", "0.610", "256"):
        assert text in shown


class Reader(HTMLParser):
    """Texts of the page, and its pictures as XML."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_page() -> None:
    markup = page([some_report(), some_report("agent", ttft=0.08)])
    reader = Reader()
    reader.feed(markup)
    text = " ".join(reader.texts).replace("\xa0", " ")
    assert "90.0 % of the prompt tokens were not computed again" in text
    assert "The chatbot <case>" in text
    assert "the first token 75.0 % sooner" in text
    assert "the first token 100.0 % later" in text
    assert "case" not in reader.tags
    assert "$" not in text.replace("$0.0", "")  # every place of the template was filled
    assert "<script" not in markup
    assert "http" not in markup


def test_pictures_are_in_their_frame() -> None:
    markup = page([some_report()])
    pictures = ["<svg" + part.split("</svg>")[0] + "</svg>" for part in markup.split("<svg")[1:]]
    assert len(pictures) == 2
    for picture in pictures:
        root = ET.fromstring(picture)
        width, height = (float(side) for side in root.attrib["viewBox"].split()[2:])
        for mark in root:
            for name in ("x", "cx", "x1", "x2"):
                assert 0 <= float(mark.attrib.get(name, 0)) + float(mark.attrib.get("width", 0)) <= width
            for name in ("y", "cy", "y1", "y2"):
                assert 0 <= float(mark.attrib.get(name, 0)) <= height
    dots = [mark for mark in ET.fromstring(pictures[1]) if mark.tag == "circle"]
    assert len(dots) == 20
