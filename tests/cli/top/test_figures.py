"""Rates, shares and bars from readings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.cli.top.base import Node, Reading, Tier
from radixa.cli.top.figures import GENERATED, History
from radixa.cli.top.panels import bar, cells, curve, memory
from radixa.cli.top.source import parse
from radixa.core.errors import CallFailed

ENGINE = {
    "radixa_engine_up": 1,
    "radixa_engine_running": 3,
    "radixa_engine_waiting": 2,
    "radixa_engine_capacity": 1000,
    "radixa_engine_tree": 500,
    "radixa_engine_leased": 100,
    "radixa_engine_evictable": 400,
}


def reading(at: float, **counters: float) -> Reading:
    metrics = ENGINE | {f"radixa_{name}_total": value for name, value in counters.items()}
    return Reading(at, metrics, {"device": 7.0}, 1024, "m")


def test_rates_are_of_the_last_seconds_and_shares_of_the_last_minute() -> None:
    history = History()
    for at in range(90):
        # Ten tokens a second, a hundred in the last five seconds; half of the prompts hit at first, then all.
        generated = 10 * at + 90 * max(0, at - 84)
        cached = 5 * min(at, 29) + 10 * max(0, at - 29)
        history.add(reading(at, engine_generated_tokens=generated, prompt_tokens=10 * at, cached_tokens=cached))
    figures = history.figures()
    assert figures.generated_per_second == 100
    assert figures.hit_rate == 1.0
    assert figures.hit_rate_since_start == pytest.approx(745 / 890)
    assert (figures.computing, figures.waiting) == (3, 2)
    assert figures.tiers == (Tier("device", 1000, in_use=200, kept=400, reused=7),)
    assert history.curve(GENERATED)[-6:] == [10, 100, 100, 100, 100, 100]
    assert history.hit_curve()[-1] == 1.0


def test_what_is_not_known_yet_is_not_zero() -> None:
    history = History()
    history.add(reading(0, prompt_tokens=0, cached_tokens=0))
    figures = history.figures()
    assert figures.generated_per_second is None
    assert figures.hit_rate is None
    assert figures.hit_rate_since_start is None
    # After a pause the last two are compared, however far apart they are.
    history.add(reading(1000, prompt_tokens=100, cached_tokens=25))
    assert history.figures().hit_rate == 0.25


def test_another_process_is_compared_with_nothing() -> None:
    history = History()
    history.add(reading(0, engine_generated_tokens=1000))
    history.add(reading(1, engine_generated_tokens=3))
    assert history.figures().generated_per_second is None
    history.add(reading(2, engine_generated_tokens=5))
    assert history.figures().generated_per_second == 2


def test_without_an_engine_the_gateways_counters_are_taken() -> None:
    history = History()
    for at in (0, 2):
        metrics = {"radixa_engine_up": 0, "radixa_completion_tokens_total": 8 * at, "radixa_requests_running": 4}
        history.add(Reading(at, metrics, {}, None, None))
    figures = history.figures()
    assert (figures.generated_per_second, figures.computing, figures.tiers) == (8, None, ())
    assert figures.answering == 4
    assert "no engine" in memory(figures.tiers, 20).plain


def test_the_disk_is_a_tier() -> None:
    disk = {"radixa_disk_budget": 2**30, "radixa_disk_bytes": 2**20}
    history = History()
    history.add(Reading(0, ENGINE | disk, {"disk": 9.0}, 1024, "m"))
    assert history.figures().tiers[1] == Tier("disk", 2**20, 0, 1024, 9, "1 MiB")


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 200))
def test_bars_fill_their_width_and_show_what_is_there(capacity: int, in_use: int, kept: int, width: int) -> None:
    text = bar(Tier("device", capacity, in_use, kept, 0), width).plain
    assert len(text) == width
    assert text.startswith("█") == bool(in_use or kept)


def test_curves_end_with_the_newest() -> None:
    assert curve([9, 0, 4, 8], 3).plain == "▁▄█" or curve([9, 0, 4, 8], 3).plain == "▁▅█"
    assert curve([0, 0], 5).plain == "▁▁"
    assert curve([0.5], 5, 1.0).plain in "▄▅"
    assert curve([], 5).plain == ""


def test_a_row_is_shown_and_not_obeyed() -> None:
    hostile = Node(1, 10, 3, 5.0, "[red]\x1b[2J " + "x" * 200, "acct_1", ("pinned",))
    row = cells(hostile, ("hits", "spared"), 40)
    assert [cell.plain for cell in row[:2]] == ["3", "30"]
    assert row[2].plain.startswith("[pinned] [red]␛[2J xx")
    assert row[2].cell_len <= 40
    hidden = Node(1, 10, 3, 5.0, None, "acct_1")
    assert cells(hidden, (), 40)[0].plain == "acct_1"


def test_only_requests_that_ask_a_model_are_traffic() -> None:
    text = (
        'radixa_requests_total{route="/metrics",status="200"} 50\n'
        'radixa_requests_total{route="/v1/chat/completions",status="200"} 3\n'
        'radixa_requests_total{route="/v1/messages",status="500"} 2\n'
        "radixa_requests_running 1\n"
        'radixa_engine_tier_cached_tokens_total{tier="disk"} 6\n'
    )
    metrics, reused = parse(text)
    assert (metrics["radixa_requests_total"], metrics["radixa_requests_running"]) == (5, 0)
    assert reused == {"disk": 6}


@pytest.mark.parametrize("text", ["<html>", "up 1\n"])
def test_another_servers_metrics_are_refused(text: str) -> None:
    with pytest.raises(CallFailed, match="/metrics"):
        parse(text)
