"""Replay: hints reach the policies that ask for them and no others; compressed traces; plots and pages."""

from __future__ import annotations

import gzip
import json
import random
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from radixa.bench.replay import replay
from radixa.bench.replay_curves import curves, text_plot
from radixa.bench.replay_page import page
from radixa.core.errors import InvalidRequest, TraceError

SCENARIOS = Path(__file__).parents[2] / "benchmarks" / "traces" / "scenarios.jsonl.gz"

Row = dict[str, Any]


def written(folder: Path, rows: list[Row]) -> Path:
    path = folder / "trace.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def bare(row: Row) -> Row:
    return {name: row[name] for name in ("prompt", "output")}


@pytest.fixture(scope="module")
def scenarios() -> list[Row]:
    with gzip.open(SCENARIOS, "rt") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("policy", ["lru", "arc"])
def test_hints_change_nothing_where_nobody_asks(policy: str, scenarios: list[Row], tmp_path: Path) -> None:
    [plain] = replay(written(tmp_path, [bare(row) for row in scenarios]), [policy], [4_000])
    [hinted] = replay(SCENARIOS, [policy], [4_000])
    assert hinted.hits == plain.hits


def test_hints_help_the_default_policy(scenarios: list[Row], tmp_path: Path) -> None:
    """At three capacities at which LRU keeps between 20 and 80 % of what an infinite cache would."""
    found = replay(SCENARIOS, ["lru", "default"], [3_000, 4_000, 5_000])
    for lru, ours in zip(found[:3], found[3:], strict=True):
        assert 0.2 < lru.hit_rate / lru.bound < 0.8
        assert ours.hit_rate > lru.hit_rate + 0.03
    without = replay(written(tmp_path, [bare(row) for row in scenarios]), ["default"], [3_000, 4_000, 5_000])
    assert sum(ours.hit_tokens for ours in found[3:]) > sum(ours.hit_tokens for ours in without)


def test_a_ttl_keeps_within_the_budget(tmp_path: Path) -> None:
    """The kept prompt survives requests that would push it out; without a budget, or after its time, it does not."""
    kept: Row = {"prompt": list(range(10)), "output": [], "ttl": 100, "timestamp": 0}
    others: list[Row] = [
        {"prompt": list(range(100 * n, 100 * n + 8)), "output": [], "timestamp": n} for n in range(1, 9)
    ]
    soon = written(tmp_path, [kept, *others, {**kept, "timestamp": 50}])
    assert replay(soon, ["default"], [30])[0].hits[-1] == 10
    assert replay(soon, ["lru"], [30])[0].hits[-1] == 0
    assert replay(soon, ["default"], [30], retention_budget=0)[0].hits[-1] == 0
    with pytest.raises(InvalidRequest, match=r"retention budget is 1\.5") as caught:
        replay(soon, ["default"], [30], retention_budget=1.5)
    assert caught.value.param == "retention_budget"
    ended = [{**other, "timestamp": 200 + n} for n, other in enumerate(others)]
    late = written(tmp_path, [kept, *ended, {**kept, "timestamp": 300}])
    assert replay(late, ["default"], [30])[0].hits[-1] == 0


def test_priority_keeps_without_a_ttl(tmp_path: Path) -> None:
    kept: Row = {"prompt": list(range(10)), "output": [], "priority": 1}
    others: list[Row] = [{"prompt": list(range(100 * n, 100 * n + 8)), "output": []} for n in range(1, 9)]
    path = written(tmp_path, [kept, *others, kept])
    assert replay(path, ["default"], [30])[0].hits[-1] == 10


@pytest.mark.parametrize(
    ("field", "value"), [("ttl", 0), ("ttl", "5m"), ("session", 1), ("spans", [[1]]), ("timestamp", "now")]
)
def test_wrong_hints_are_refused_with_their_field(tmp_path: Path, field: str, value: object) -> None:
    with pytest.raises(TraceError, match=rf"line 1: .*{field}"):
        replay(written(tmp_path, [{"prompt": [1], field: value}]), ["lru"], [10])


def test_a_compressed_trace_reads_as_the_plain_one(tmp_path: Path) -> None:
    rows: list[Row] = [{"prompt": [1, 2, 3], "output": [4]}, {"prompt": [1, 2, 3, 4], "output": []}]
    plain = written(tmp_path, rows)
    packed = tmp_path / "trace.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert replay(packed, ["lru"], [10])[0].hits == replay(plain, ["lru"], [10])[0].hits == (0, 4)
    packed.write_bytes(gzip.compress(plain.read_bytes())[:-12])
    with pytest.raises(TraceError, match="cannot read the trace"):
        replay(packed, ["lru"], [10])
    packed.write_text("not compressed")
    with pytest.raises(TraceError, match="cannot read the trace"):
        replay(packed, ["lru"], [10])


# ---- what is shown


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    chance = random.Random(0)
    texts = [[chance.randrange(9) for _ in range(20)] for _ in range(12)]
    rows = [{"prompt": [*chance.choice(texts), chance.randrange(9)], "output": [1]} for _ in range(80)]
    return written(tmp_path, rows)


def test_the_plot_has_every_curve_where_it_belongs(trace: Path) -> None:
    results = replay(trace, ["lru", "arc"], [40, 160])
    drawn = curves(results)
    assert [curve.name for curve in drawn] == ["lru", "arc", "Belady", "infinite cache"]
    assert drawn[0].points == tuple((r.capacity, r.hit_rate) for r in results[:2])
    assert {rate for _, rate in drawn[3].points} == {results[0].bound}
    lines = text_plot(drawn, width=21, height=11)
    assert lines[-1].split() == ["o", "lru", "x", "arc", "^", "Belady", "-", "infinite", "cache"]
    assert lines[-2].split() == ["40", "160"]
    bodies = [line.split("|")[1] for line in lines[:11]]
    expected = 10 - round(10 * results[1].hit_rate / results[0].bound)
    assert bodies[expected][-1] == "o"
    assert all(len(body) == 21 for body in bodies)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_stands_alone(trace: Path) -> None:
    results = replay(trace, ["lru", "default"], [40, 80, 160])
    parsed = _Page()
    parsed.feed(page("a <b> trace", results))
    assert "b" not in parsed.tags
    assert not parsed.links
    assert parsed.tags.count("polyline") == 4
    assert parsed.tags.count("tr") == 1 + len(results)
    for result in results:
        assert f"{result.hit_rate:.2%}" in parsed.text
        assert f"{result.belady:.2%}" in parsed.text


def test_the_command(trace: Path, tmp_path: Path) -> None:
    from radixa.cli.app import app

    runner = CliRunner()
    out = tmp_path / "replay.html"
    one = runner.invoke(app, ["replay", str(trace), "--policy", "default", "--capacity", "40"])
    assert one.exit_code == 0, one.output
    assert "|" not in one.stdout
    sizes = ["--capacity", "40", "--capacity", "80"]
    two = runner.invoke(app, ["replay", str(trace), "--policy", "lru", "--policy", "arc", *sizes, "--html", str(out)])
    assert two.exit_code == 0, two.output
    assert "o lru   x arc   ^ Belady" in two.stdout
    assert "<svg" in out.read_text()
    printed = json.loads(runner.invoke(app, ["replay", str(trace), "--capacity", "40", "--json"]).stdout)
    assert printed["belady"] >= printed["hit_rate"]
    wrong = runner.invoke(app, ["replay", str(trace), "--policy", "magic"])
    assert wrong.exit_code == 2
