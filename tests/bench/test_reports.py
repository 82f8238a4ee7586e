from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
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


def pictures(markup: str) -> list[ET.Element]:
    return [ET.fromstring("<svg" + part.split("</svg>")[0] + "</svg>") for part in markup.split("<svg")[1:]]


def test_pictures_are_in_their_frame() -> None:
    found = pictures(page([some_report()]))
    assert len(found) == 4
    for root in found:
        width, height = (float(side) for side in root.attrib["viewBox"].split()[2:])
        for mark in root:
            for name in ("x", "cx", "x1", "x2"):
                assert 0 <= float(mark.attrib.get(name, 0)) + float(mark.attrib.get("width", 0)) <= width
            for name in ("y", "cy", "y1", "y2"):
                assert 0 <= float(mark.attrib.get(name, 0)) <= height
            for x, y in re.findall(r"M([\d.]+) ([\d.]+)", mark.attrib.get("d", "")):
                assert 0 <= float(x) <= width
                assert 0 <= float(y) <= height


def test_what_the_pictures_show() -> None:
    hits, computed, cost, first = pictures(page([some_report()]))
    possible, hit = (float(mark.attrib["width"]) for mark in hits if mark.tag == "rect")
    assert hit / possible == pytest.approx(0.9 / 0.91, abs=0.001)
    assert "90.0 % of 91.0 %" in [mark.text for mark in hits]
    none, reuse = (float(mark.attrib["width"]) for mark in computed if mark.tag == "rect")
    assert reuse / none == pytest.approx(0.1, abs=0.001)
    widths = {mark.attrib["class"]: float(mark.attrib["width"]) for mark in cost if mark.tag == "rect"}
    assert widths["reuse"] / widths["none"] == pytest.approx(0.19, abs=0.001)
    assert widths["reuse answers"] / widths["none answers"] == pytest.approx(29 / 110, abs=0.001)
    paths = {mark.attrib["class"]: mark.attrib["d"] for mark in first if mark.tag == "path"}
    assert [paths[f"{name} dots"].count("h0") for name in ("none", "reuse")] == [10, 10]
    # Each curve ends at the top, when all requests have had their first token.
    for name in ("none", "reuse"):
        heights = [float(y) for y in re.findall(r"V([\d.]+)", paths[f"{name} curve"])]
        assert heights == sorted(heights, reverse=True)
        assert heights[-1] == 4.0


def test_a_page_of_many_requests_stays_small() -> None:
    runs = [replace(run, measurements=run.measurements * 60) for run in (some_report().reuse, some_report().force_miss)]
    report = replace(some_report(), reuse=runs[0], force_miss=runs[1])
    assert len(page([report] * 7)) < 300_000
