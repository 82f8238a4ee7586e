"""The dashboard for Grafana asks only for metrics and labels that there are."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from radixa.core.config import Config, ModelEntry, ProviderConfig
from radixa.engine.base import EngineStats
from radixa.gateway.app import App
from radixa.gateway.auth import KeyRing
from radixa.gateway.state import Gateway
from radixa.kv.tiers.base import TierStats
from radixa.providers.local.provider import LocalProvider
from radixa.providers.registry import upstreams
from radixa.store.first import ensure_first_account
from radixa.store.sql import SqlStore

from .fakes import ByteTokenizer, Client, FakeEngine, PlainTemplate
from .promql import Selector, selectors

DASHBOARD = json.loads((Path(__file__).parents[2] / "deploy/grafana/radixa.json").read_text("utf-8"))
OF_PROMETHEUS = {"instance", "job"}
"""Labels that whoever scrapes adds."""


def targets() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every panel that asks, with each of its expressions."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel, target


class WithDisk(FakeEngine):
    """The scripted engine with a tier on disk, whose figures the real engine has by default."""

    async def stats(self) -> EngineStats:
        disk = TierStats(enabled=True, budget=1, dropped={"checksum": 1})
        return msgspec.structs.replace(await super().stats(), disk=disk)


@pytest.fixture
async def metrics(store: SqlStore, tmp_path: Path) -> dict[str, tuple[str, set[str]]]:
    """Type and labels of every sample that a server has after requests of all kinds, by its name."""
    config = Config(
        models=(ModelEntry("first-choice", "away", fallbacks=("fake-model",)),),
        # Nothing listens there, so another model answers.
        providers={"away": ProviderConfig("openai-compatible", "http://127.0.0.1:1/v1", retries=0)},
    )
    _, secret = store.create_key(ensure_first_account(store).id, "first", admin=True)
    gateway = Gateway(config, store, KeyRing(store), tmp_path, upstreams(config.providers, {}))
    await gateway.start()
    gateway.attach(LocalProvider("fake-model", WithDisk(), ByteTokenizer(), PlainTemplate()))
    client = Client(App(gateway), secret)
    try:
        for model in ("fake-model", "first-choice"):
            assert (await client.chat("hello", model=model, max_tokens=4)).status == 200
        text = (await client.get("/metrics")).body.decode()
    finally:
        await gateway.close()
    found: defaultdict[str, tuple[str, set[str]]] = defaultdict(lambda: ("", set()))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = (family.type, found[sample.name][1] | set(sample.labels))
    return dict(found)


def wrong(selector: Selector, metrics: dict[str, tuple[str, set[str]]]) -> str:
    """What is wrong with one thing that is asked for; empty where nothing is."""
    if selector.metric not in metrics:
        return "no such metric"
    kind, labels = metrics[selector.metric]
    asked = (selector.labels | selector.grouped) - labels - OF_PROMETHEUS
    if asked:
        return f"has no label {', '.join(sorted(asked))}"
    if selector.counted != (kind in ("counter", "histogram")) or selector.counted != selector.ranged:
        return f"is a {kind}"
    if selector.quantile and "le" not in selector.grouped:
        return "a quantile needs its buckets"
    return ""


async def test_every_expression_asks_for_what_there_is(metrics: dict[str, tuple[str, set[str]]]) -> None:
    problems = []
    for panel, target in targets():
        asked = selectors(target["expr"])
        assert asked, target["expr"]
        problems += [
            f"{panel['title']}: {selector.metric}: {why}" for selector in asked if (why := wrong(selector, metrics))
        ]
        shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        grouped = frozenset.union(*(selector.grouped for selector in asked))
        if shown - {"le"} != grouped - {"le"}:
            problems.append(f"{panel['title']}: the legend {target['legendFormat']!r} is not by {sorted(grouped)}")
    assert problems == []


async def test_variables_ask_for_what_there_is(metrics: dict[str, tuple[str, set[str]]]) -> None:
    variables = {found["name"]: found for found in DASHBOARD["templating"]["list"]}
    for found in variables.values():
        if found["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", found["query"]["query"]).groups()  # type: ignore[union-attr]
            assert label in metrics[metric][1] | OF_PROMETHEUS
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"]))) - {"__rate_interval"}
    assert used == set(variables)


def test_the_check_finds_what_is_wrong() -> None:
    metrics = {"a_total": ("counter", {"x"}), "b": ("gauge", set()), "h_bucket": ("histogram", {"le"})}
    for text, why in {
        "rate(a_total[5m])": "",
        "sum by (x) (rate(a_total[5m])) / sum(b)": "",
        "histogram_quantile(0.5, sum by (le) (rate(h_bucket[5m])))": "",
        "rate(gone_total[5m])": "no such metric",
        "sum by (y) (rate(a_total[5m]))": "has no label y",
        'rate(a_total{z="1"}[5m])': "has no label z",
        "a_total": "is a counter",
        "rate(b[5m])": "is a gauge",
        "histogram_quantile(0.5, sum(rate(h_bucket[5m])))": "a quantile needs its buckets",
    }.items():
        assert [found for selector in selectors(text) if (found := wrong(selector, metrics))] == ([why] if why else [])
    for text in ("rate(a[5m)", "sum(", "a b", 'a{x="1"', "a{x=1}", "nobody(a)", "rate(a[x])", "a{x~'1'}", "a +"):
        with pytest.raises(ValueError):
            selectors(text)


def test_panels_fill_the_grid_and_explain_themselves() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["fieldConfig"]["defaults"].get("unit") or panel["type"] == "heatmap"


async def test_what_the_documentation_names_is_there(metrics: dict[str, tuple[str, set[str]]]) -> None:
    text = (Path(__file__).parents[2] / "docs/operations.md").read_text("utf-8")
    for name in re.findall(r"`(radixa_\w+[a-z])`", text):
        assert [found for found in metrics if found == name or found.startswith(f"{name}_")], name
