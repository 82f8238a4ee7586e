"""The catalogue changed while the server runs: over HTTP, in another process, and what may not be."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from radixa.core.config import ModelEntry, Prices
from radixa.core.errors import StoreUnavailable
from radixa.gateway.catalogue import Shelf, shelf
from radixa.store.base import LOCAL, Actor
from radixa.store.catalogue import SqlModels
from tests.gateway.conftest import Build, World
from tests.gateway.fakes import Answer
from tests.upstreams.base import until

DEAR = {"input": 3.0, "cached_input": 0.3, "output": 6.0}


def day(offset: int = 0) -> str:
    return (datetime.now(UTC) + timedelta(days=offset)).date().isoformat()


async def put(world: World, name: str, **body: Any) -> Answer:
    return await world.client.call("PUT", f"/v1/catalogue/{name}", json.dumps(body).encode())


async def test_every_entry_is_listed(build: Build) -> None:
    world = build(sandbox=False, models=(ModelEntry("odd", "nobody"),))
    rows = {row["id"]: row for row in (await world.client.get("/v1/catalogue")).json["data"]}
    assert len(rows) == 10
    gpt = rows["gpt-4.1"]
    assert gpt["upstream_model"] == "gpt-4.1"
    assert (gpt["object"], gpt["source"], gpt["offered"]) == ("catalogue.entry", "configuration", False)
    assert gpt["prices"][0]["input"] == 8.0
    assert "no provider 'nobody' for odd" in rows["odd"]["missing"]
    assert (await world.client.get("/v1/catalogue/odd")).json == rows["odd"]
    missing = await world.client.get("/v1/catalogue/x")
    assert (missing.status, missing.error["param"]) == (404, "id")


async def test_an_entry_holds_at_once_and_until_it_is_removed(world: World) -> None:
    answer = await put(world, "house/model", provider="radixa", prices=[DEAR], rpm=5, context=500)
    assert answer.status == 200, answer.error
    assert (answer.json["source"], answer.json["offered"], answer.json["missing"]) == ("database", True, None)
    assert answer.json["prices"][0]["since"] == day()
    model = (await world.client.get("/v1/models/house/model")).json["radixa"]
    assert model["prices_usd_per_mtok"] == {"input": 3, "cached_input": 0.3, "cache_write": 3, "output": 6}
    assert (model["limits"]["rpm"], model["context"]) == (5, 500)
    priced = (await world.client.chat(model="house/model")).json["usage"]["radixa"]
    assert priced["cost_usd"] > 0
    removed = await world.client.delete("/v1/catalogue/house/model")
    assert removed.json == {"id": "house/model", "object": "catalogue.entry", "deleted": True}
    assert (await world.client.chat(model="house/model")).status == 404
    again = await world.client.delete("/v1/catalogue/house/model")
    assert (again.status, again.error["param"]) == (404, "id")


async def test_what_the_configuration_says_holds_again(world: World) -> None:
    assert (await put(world, "gpt-4.1", provider="openai", prices=[DEAR])).status == 200
    assert (await world.client.get("/v1/models/gpt-4.1")).json["radixa"]["prices_usd_per_mtok"]["input"] == 3
    configured = await world.client.delete("/v1/catalogue/deepseek-chat")
    assert configured.status == 404
    assert "stands in the configuration" in configured.error["message"]
    await world.client.delete("/v1/catalogue/gpt-4.1")
    assert (await world.client.get("/v1/models/gpt-4.1")).json["radixa"]["prices_usd_per_mtok"]["input"] == 8


async def test_prices_of_the_past_stay_as_they_were(build: Build) -> None:
    old = (
        Prices(input=1.0, output=1.0),
        Prices(input=2.0, output=2.0, since=day(-30)),
        Prices(input=9.0, output=9.0, since=day(+5)),
    )
    world = build(models=(ModelEntry("m", "radixa", prices=old),))
    first = (await put(world, "m", provider="radixa", prices=[DEAR])).json["prices"]
    assert [(row.get("since", ""), row["input"]) for row in first] == [("", 1.0), (day(-30), 2.0), (day(), 3.0)]
    # A second change on the same day replaces the first, and one with a date of its own waits for it.
    later = [DEAR | {"input": 4.0}, DEAR | {"input": 5.0, "since": day(+10)}]
    second = (await put(world, "m", provider="radixa", prices=later)).json["prices"]
    assert [row["input"] for row in second] == [1.0, 2.0, 4.0, 5.0]
    assert (await world.client.get("/v1/models/m")).json["radixa"]["prices_usd_per_mtok"]["input"] == 4
    # Without prices nobody knows what it costs from now on; 0 would be another thing.
    unknown = (await put(world, "m", provider="radixa")).json["prices"]
    assert unknown[-1]["input"] is None
    assert (await world.client.get("/v1/models/m")).json["radixa"]["prices_usd_per_mtok"] is None
    assert (await world.client.chat(model="m")).json["usage"]["radixa"]["cost_usd"] is None
    free = [{"input": 0, "output": 0}]
    await put(world, "m", provider="radixa", prices=free)
    assert (await world.client.chat(model="m")).json["usage"]["radixa"]["cost_usd"] == 0


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "provider"),
        ({"provider": ""}, "provider"),
        ({"provider": "openai", "rpm": -1}, "rpm"),
        ({"provider": "openai", "rpm": "many"}, "rpm"),
        ({"provider": "openai", "cached_weight": 1.5}, "cached_weight"),
        ({"provider": "openai", "prices": [{"input": -1, "output": 1}]}, "prices[0].input"),
        ({"provider": "openai", "prices": [DEAR, {"input": 0.1234567, "output": 1}]}, "prices[1]"),
        ({"provider": "openai", "prices": [{"input": 1, "output": 1, "since": "soon"}]}, "prices[0].since"),
        ({"provider": "openai", "prices": [{"inputs": 1}]}, "prices[0].inputs"),
        ({"provider": "openai", "shutdown_date": "2027-13-01"}, "shutdown_date"),
        ({"provider": "openai", "fallbacks": ["gpt-4.1", "nobody"]}, "fallbacks[1]"),
        ({"provider": "openai", "fallbacks": ["m"]}, "fallbacks[0]"),
        ({"provider": "openai", "upstream": "x"}, "upstream"),
        ({"provider": "openai", "id": "other"}, "id"),
        ({"provider": "openai", "retires": ""}, "retires"),
        ({"provider": "openai", "successor": ""}, "successor"),
        ({"provider": "openai", "successor": "m"}, "successor"),
        ({"provider": "openai", "upstream_model": "u", "successor": "u"}, "successor"),
        ({"provider": "openai", "successor": "a\nline"}, "successor"),
        ({"provider": "openai", "": 1}, ""),
        ({"provider": "openai", "two\nlines": 1}, "two\nlines"),
    ],
)
async def test_errors_name_the_field(world: World, body: dict[str, Any], param: str) -> None:
    answer = await put(world, "m", **body)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert (await world.client.get("/v1/catalogue/m")).status == 404


async def test_bodies_that_are_none(world: World) -> None:
    for raw in (b"", b"[]", b"{", b"null"):
        assert (await world.client.call("PUT", "/v1/catalogue/m", raw)).status == 400
    assert (await put(world, "m" * 201, provider="openai")).error["param"] == "id"


async def test_only_administrators(world: World) -> None:
    _, client = world.account_client("other")
    assert (await client.get("/v1/catalogue")).status == 403
    for method in ("GET", "PUT", "DELETE"):
        assert (await client.call(method, "/v1/catalogue/gpt-4.1", b'{"provider": "radixa"}')).status == 403
    assert "database" not in [row["source"] for row in (await world.client.get("/v1/catalogue")).json["data"]]


async def test_every_change_is_in_the_audit_log(world: World) -> None:
    name = "m" * 100
    changed = await put(world, name, provider="radixa")
    await world.client.delete(f"/v1/catalogue/{name}")
    removal, change = [entry for entry in world.store.audit() if entry.action.startswith("model.")]
    assert (change.action, removal.action) == ("model.put", "model.remove")
    assert change.actor.account_id == world.account.id
    assert change.actor.request_id == changed.headers["x-request-id"]
    assert change.details["model"] == name
    assert json.loads(change.details["entry"])["provider"] == "radixa"


async def test_what_another_process_changes_holds_here_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "FOLLOW_S", 0.01)
    following = asyncio.create_task(world.gateway.shelf.follow())
    other = SqlModels(world.store.engine)
    other.put_model("theirs", '{"id":"theirs","provider":"radixa","rpm":9}', by=LOCAL)
    await until(lambda: world.gateway.shelf.find("theirs") is not None)
    assert (await world.client.get("/v1/models/theirs")).json["radixa"]["limits"]["rpm"] == 9
    other.remove_model("theirs", by=LOCAL)
    await until(lambda: world.gateway.shelf.find("theirs") is None)
    assert (await world.client.get("/v1/models/theirs")).status == 404
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


class Failing:
    """A store that fails at first, then has one good entry and two that cannot be read."""

    def __init__(self) -> None:
        self.asked = 0

    def models(self) -> dict[str, str]:
        self.asked += 1
        if self.asked < 3:
            raise StoreUnavailable("gone for a moment")
        return {
            "good": '{"id":"good","provider":"radixa"}',
            "newer": '{"id":"newer","provider":"radixa","colour":"red"}',
            "priced": '{"id":"priced","provider":"radixa","prices":[{"input":-1,"output":1}]}',
        }

    def put_model(self, model_id: str, entry: str, *, by: Actor) -> None:
        raise StoreUnavailable("gone for good")

    def remove_model(self, model_id: str, *, by: Actor) -> bool:
        raise StoreUnavailable("gone for good")


async def test_a_database_that_fails_or_says_what_nobody_can_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shelf, "FOLLOW_S", 0.01)
    found = Shelf([ModelEntry("a", "radixa")], Failing())
    following = asyncio.create_task(found.follow())
    await until(lambda: found.find("good") is not None)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert [entry.id for entry in found.entries] == ["a", "good"]
    said = [record.message for record in caplog.records]
    assert any("the catalogue stays as it was" in line for line in said)
    assert sum("cannot be read and is passed over" in line for line in said) == 2
