"""Models that their providers end: in the log at the start, in `/v1/models` and on the dashboard, before and after."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

import pytest

from radixa.core.config import ModelEntry
from radixa.gateway.catalogue import Catalogue, Offer, shipped
from radixa.gateway.catalogue.retiring import retired, warnings
from tests.gateway.conftest import Build

KEYS: Mapping[str, str] = {"ANTHROPIC_API_KEY": "sk-ant", "GEMINI_API_KEY": "g"}


def offers(*entries: ModelEntry, sandbox: bool = False) -> list[Offer]:
    return Catalogue(entries, own="own", context=100, sandbox=sandbox, available=lambda provider: None).offers()


def test_the_catalogue_says_what_is_to_end_and_what_comes_after() -> None:
    found = {entry.id: (entry.retires, entry.successor) for entry in shipped() if entry.retires}
    assert found == {
        "claude-3-5-sonnet": ("2026-11-30", "claude-sonnet-5-5"),
        "gemini-2.0-flash": ("2026-12-01", "gemini-3.5-flash-lite"),
    }
    # What is named in their place is there to be asked for, and not itself about to end.
    assert {successor for _, successor in found.values()} <= {entry.id for entry in shipped() if not entry.retires}


def test_a_name_that_is_the_providers_own_ends_when_it_is_shut_down() -> None:
    own, alias, ours = (
        ModelEntry("gpt-4.1", "openai", shutdown_date="2027-01-14"),
        ModelEntry("fast", "openai", "gpt-6", shutdown_date="2025-01-01"),
        ModelEntry("house", "radixa", shutdown_date="2027-01-14", retires="2026-12-01"),
    )
    assert [offer.retires for offer in offers(own, alias, ours)] == [None, "2027-01-14", None, None]
    # Where our own engine answers, no provider ends anything.
    assert [offer.retires for offer in offers(own, alias, ours, sandbox=True)] == [None] * 4


def test_it_is_said_from_sixty_days_before() -> None:
    found = offers(ModelEntry("sonnet", "anthropic", "claude-4", retires="2026-11-30", successor="claude-5"))
    said = {
        "2026-09-30": None,
        "2026-10-01": "ends claude-4 on 2026-11-30. It names claude-5",
        "2026-11-29": "ends claude-4 on 2026-11-30. It names claude-5",
        "2026-11-30": "ended claude-4 on 2026-11-30, and now refuses it",
        "2027-11-30": "ended claude-4 on 2026-11-30, and now refuses it",
    }
    for day, expected in said.items():
        lines = list(warnings(found, day))
        assert len(lines) == (expected is not None)
        assert all(line.startswith(f"the model sonnet: its provider anthropic {expected}") for line in lines)
        assert retired(found[1], day) is (day >= "2026-11-30")
    (line,) = warnings(offers(ModelEntry("m", "openai", retires="2026-11-30")), "2026-11-30")
    assert line.endswith("Give the entry another upstream_model")


@pytest.mark.parametrize(("day", "word"), [("2026-11-20", "ends"), ("2026-12-24", "ended")])
async def test_the_start_and_the_list_of_models_say_it(
    build: Build, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, day: str, word: str
) -> None:
    for module in ("routes.models", "state"):
        monkeypatch.setattr(f"radixa.gateway.{module}.today", lambda: day)
    with caplog.at_level(logging.WARNING, "radixa.gateway"):
        world = build(sandbox=False, environ=KEYS)
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(":")[0] for line in lines] == ["the model claude-3-5-sonnet", "the model gemini-2.0-flash"]
    assert f"provider anthropic {word} claude-sonnet-4-5-20250929 on 2026-11-30" in lines[0]
    assert "It names gemini-3.5-flash-lite in its place" in lines[1]
    found = (await world.client.get("/v1/models/claude-3-5-sonnet")).json["radixa"]
    assert (found["retires"], found["retired"], found["successor"]) == (
        "2026-11-30",
        word == "ended",
        "claude-sonnet-5-5",
    )
    assert (await world.client.get("/v1/models/claude-sonnet-5-5")).json["radixa"]["retires"] is None


async def test_the_sandbox_warns_of_nothing(build: Build, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "radixa.gateway"):
        build(sandbox=True)
    assert caplog.records == []


async def test_an_administrator_changes_it(build: Build) -> None:
    world = build(sandbox=False, environ=KEYS)
    body = {"provider": "anthropic", "upstream_model": "claude-x", "retires": "2027-05-01", "successor": "claude-y"}
    put = await world.client.call("PUT", "/v1/catalogue/mine", json.dumps(body).encode())
    assert put.status == 200
    found = (await world.client.get("/v1/models/mine")).json["radixa"]
    assert (found["retires"], found["retired"], found["successor"]) == ("2027-05-01", False, "claude-y")
    wrong = await world.client.call("PUT", "/v1/catalogue/mine", b'{"provider": "anthropic", "retires": "soon"}')
    assert (wrong.status, wrong.error["param"]) == (400, "retires")
