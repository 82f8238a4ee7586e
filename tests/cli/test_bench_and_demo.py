"""`bench` and `demo` compose what is tested elsewhere; here the measuring itself is replaced."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from radixa.viewer.facts import Facts
from tests.bench.reports import some_report

from .conftest import Radixa


@dataclass
class Asked:
    """What the command asked to be measured."""

    plan: dict[str, Any] | None = None
    names: tuple[str, ...] = ()
    model: str | None = None
    url: str | None = None
    key: str | None = None
    options: dict[str, Any] | None = None


@dataclass
class Plan:
    names: tuple[str, ...]
    priced_as: str = "deepseek-chat"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found = Asked()

    def plan(names: list[str], **options: Any) -> Plan:
        found.names, found.plan = tuple(names), {k: v for k, v in options.items() if k != "progress"}
        return Plan(found.names)

    def own(plan: Plan, model: str, *, before_stop: Callable[[str], None] | None = None, **options: Any) -> list[Any]:
        found.model, found.options = model, options
        if before_stop:
            before_stop("http://127.0.0.1:1")
        return [some_report(name) for name in plan.names]

    def url(plan: Plan, url: str, api_key: str | None, model: str | None) -> list[Any]:
        found.url, found.key, found.model = url, api_key, model
        return [some_report(name) for name in plan.names]

    monkeypatch.setattr("radixa.bench.measure.plan", plan)
    monkeypatch.setattr("radixa.bench.measure.measure_own", own)
    monkeypatch.setattr("radixa.bench.measure.measure_url", url)
    return found


def test_one_scenario_is_one_object(radixa: Radixa, asked: Asked) -> None:
    found = json.loads(radixa("bench", "rag", "--json", "--seed", "7", "--reduced", "--concurrency", "2").out)
    assert found["scenario"] == "rag"
    assert asked.names == ("rag",)
    assert asked.model == "smollm2"
    assert asked.plan == {"size": "reduced", "sized_by": "smollm2", "seed": 7, "concurrency": 2}


def test_several_scenarios_are_a_list(radixa: Radixa, asked: Asked) -> None:
    found = json.loads(radixa("bench", "agent", "chatbot", "agent", "--json").out)
    assert [report["scenario"] for report in found] == ["agent", "chatbot"]
    radixa("bench", "all", "--model", "other")
    assert asked.names == ("chatbot", "rag", "agent")
    assert asked.model == "other"
    assert asked.plan is not None
    assert (asked.plan["size"], asked.plan["sized_by"]) == ("full", "other")


def test_programs_are_scenarios_too(radixa: Radixa, asked: Asked) -> None:
    radixa("bench", "fewshot", "tree-of-thought", "shared-prefix", "sharegpt-like", "all")
    assert asked.names == ("fewshot", "tree-of-thought", "shared-prefix", "sharegpt-like", "chatbot", "rag", "agent")
    wrong = radixa("bench", "fewshot", "few-shot")
    assert wrong.code == 2
    assert "sharegpt-like and all" in " ".join(wrong.err.split())


def test_the_report_is_a_page_where_asked(radixa: Radixa, asked: Asked, tmp_path: Path) -> None:
    file = tmp_path / "new" / "report.html"
    assert radixa("bench", "rag", "fewshot", "--html", str(file)).code == 0
    assert "The fewshot &lt;case&gt;" in file.read_text()
    (tmp_path / "file").write_text("")
    asked.names = ()
    wrong = radixa("bench", "rag", "--html", str(tmp_path / "file" / "report.html"))
    assert (wrong.code, asked.names) == (1, ())
    assert "expected a folder that can be made and written" in wrong.err


def test_a_server_of_any_make(radixa: Radixa, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADIXA_BASE_URL", "http://example.invalid/v1")
    monkeypatch.setenv("RADIXA_API_KEY", "sk-1")
    shown = radixa("bench", "chatbot").out
    assert "The chatbot <case> on tiny: 10 requests" in shown
    assert (asked.url, asked.key, asked.model) == ("http://example.invalid/v1", "sk-1", None)
    assert asked.plan is not None
    assert asked.plan["sized_by"] == "smollm2"


def test_demo_leaves_three_files(radixa: Radixa, asked: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def fetch(url: str, api_key: str | None, min_tokens: int = 1) -> dict[str, Any]:
        node = {"id": 1, "parent": 0, "tokens": 5, "text": "kept", "hits": 1, "last_use": 0.0, "locked": False}
        return {"data": [node]}

    async def facts_of(url: str, api_key: str | None) -> Facts:
        return {"bytes_per_token": 1024, "capacity": 100}

    monkeypatch.setattr("radixa.cli.tree.fetch", fetch)
    monkeypatch.setattr("radixa.cli.tree.facts_of", facts_of)
    found = radixa("demo")
    assert found.code == 0
    assert asked.options == {"sandbox": True, "flush": False}
    here = Path.cwd()
    figures = json.loads((here / "radixa_demo.json").read_text())
    assert set(figures["scenarios"]) == {"chatbot", "rag", "agent"}
    for name in ("hit_rate", "bound", "cost_saved_percent", "ttft_saved_percent"):
        assert isinstance(figures["scenarios"]["rag"][name], float)
    assert "kept" in (here / "radix_cache.html").read_text()
    assert "The agent &lt;case&gt;" in (here / "radixa_demo.html").read_text()
    for name in ("radix_cache.html", "radixa_demo.html", "radixa_demo.json"):
        assert str(here / name) in found.out
    assert radixa("demo", "--out", str(tmp_path / "new" / "folder")).code == 0
    assert len(list((tmp_path / "new" / "folder").iterdir())) == 3


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_real_demo(tmp_path: Path) -> None:
    """As `make demo` runs it: the real model, two servers, the figures that the README promises."""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "radixa", "demo"], cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    scenarios = json.loads((tmp_path / "radixa_demo.json").read_text())["scenarios"]
    assert set(scenarios) == {"chatbot", "rag", "agent"}
    for figures in scenarios.values():
        # The demo keeps one tree for all three, which begin with the same few tokens: those hit beyond the bound.
        assert figures["bound"] - 0.02 <= figures["hit_rate"] <= figures["bound"] + 0.002
        assert figures["cost_saved_percent"] >= 70
        assert figures["force_miss"]["cached_tokens"] == 0
        assert figures["force_miss"]["prompt_tokens"] == figures["reuse"]["prompt_tokens"]
