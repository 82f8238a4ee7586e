"""What a key may do: its models, budgets, limits and expiry; and the other header it may come in."""

from __future__ import annotations

import time
from typing import Any

import pytest

from radixa.gateway import auth
from tests.gateway.conftest import World
from tests.gateway.fakes import Client


async def limited(world: World, **fields: Any) -> tuple[dict[str, Any], Client]:
    made = await world.client.post("/v1/keys", fields)
    assert made.status == 200, made.body
    return made.json, world.client.using(made.json["key"])


async def change(world: World, key_id: str, body: bytes) -> Any:
    return await world.client.call("PATCH", f"/v1/keys/{key_id}", body)


async def test_terms_are_kept_and_shown(world: World) -> None:
    terms = {
        "expires": 4_000_000_000, "models": ["gpt-4.1"], "budget_day_usd": 0.5, "budget_month_usd": 5.0,
        "budget_usd": 20.000000001, "rpm": 10, "tpm": 1000, "concurrency": 2, "force_include_usage": True,
    }  # fmt: skip
    key, _ = await limited(world, name="ci", **terms)
    assert {name: key[name] for name in terms} == terms
    changed = (await change(world, key["id"], b'{"name": "ci-2", "rpm": null, "budget_usd": 3}')).json
    assert {name: changed[name] for name in terms} == terms | {"rpm": None, "budget_usd": 3.0}
    assert changed["name"] == "ci-2"
    assert (await world.client.get("/v1/keys")).json["data"][-1] == changed


async def test_a_model_outside_the_list_is_not_there(world: World) -> None:
    _, client = await limited(world, models=["gpt-4.1"])
    assert (await client.chat(model="gpt-4.1")).status == 200
    for model in ("gpt-4.1-mini", "fake-model"):
        refused = await client.chat(model=model)
        assert (refused.status, refused.error["code"]) == (404, "model_not_found")
        assert f"The model `{model}` does not exist or you do not have access to it." in refused.error["message"]


async def test_an_expired_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(time.time())
    key, client = await limited(world, expires=now + 1000)
    assert (await client.get("/v1/models")).status == 200
    # Also while it is remembered.
    monkeypatch.setattr(auth.time, "time", lambda: now + 1000.0)
    refused = await client.get("/v1/models")
    assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
    assert f"({key['id']}) has expired" in refused.error["message"]
    assert (await change(world, key["id"], b'{"expires": null}')).status == 200
    assert (await client.get("/v1/models")).status == 200


async def test_a_revoked_key_says_so(world: World) -> None:
    key, client = await limited(world)
    await world.client.delete(f"/v1/keys/{key['id']}")
    refused = await client.get("/v1/models")
    assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
    assert f"({key['id']}) has been revoked" in refused.error["message"]


async def test_a_keys_own_limits(world: World) -> None:
    key, client = await limited(world, rpm=1)
    answered = await client.chat()
    assert answered.headers["x-ratelimit-remaining-requests"] == "0"
    refused = await client.chat()
    assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
    assert f"key {key['id']}" in refused.error["message"]
    assert int(refused.headers["retry-after"]) >= 1
    assert (await change(world, key["id"], b'{"rpm": 2}')).status == 200
    assert (await client.chat()).status == 200


async def test_a_keys_budget(world: World) -> None:
    key, client = await limited(world, budget_day_usd=0.000001)
    refused = await client.chat(model="gpt-4.1")
    assert (refused.status, refused.error["code"]) == (429, "insufficient_quota")
    assert f"budget per day of key {key['id']}" in refused.error["message"]
    assert (await world.client.chat(model="gpt-4.1")).status == 200


@pytest.mark.parametrize("terms", [{"models": ["gpt-4.1"]}, {"rpm": 5}, {"budget_usd": 1}, {"expires": 4_000_000_000}])
async def test_a_restricted_key_cannot_free_itself(world: World, terms: dict[str, Any]) -> None:
    key, client = await limited(world, **terms)
    assert (await client.post("/v1/keys", {})).status == 403
    lifted = await client.call("PATCH", f"/v1/keys/{key['id']}", b'{"models": null, "rpm": null}')
    assert lifted.status == 403
    assert (await client.delete(f"/v1/keys/{key['id']}")).status == 200


async def test_a_plain_key_changes_its_accounts_keys_alone(world: World) -> None:
    _, client = world.account_client("acme")
    other = (await client.post("/v1/keys", {})).json
    assert (await client.call("PATCH", f"/v1/keys/{other['id']}", b'{"rpm": 4}')).json["rpm"] == 4
    first = world.store.keys(world.account.id)[0]
    assert (await client.call("PATCH", f"/v1/keys/{first.id}", b'{"rpm": 4}')).status == 404
    plain = world.client.using((await world.client.post("/v1/keys", {})).json["key"])
    assert (await plain.call("PATCH", f"/v1/keys/{first.id}", b'{"rpm": 4}')).status == 403


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"rpm": -1}', "rpm"),
        (b'{"rpm": "5"}', "rpm"),
        (b'{"models": [""]}', "models[0]"),
        (b'{"budget_usd": -1}', "budget_usd"),
        (b'{"budget_usd": 1e-10}', "budget_usd"),
        (b'{"expires": 1.5}', "expires"),
        (b'{"name": null}', "name"),
        (b'{"force_include_usage": null}', "force_include_usage"),
    ],
)
async def test_bad_terms(world: World, body: bytes, param: str) -> None:
    key, _ = await limited(world)
    answer = await change(world, key["id"], body)
    assert (answer.status, answer.error["param"]) == (400, param)


async def test_the_other_header(world: World) -> None:
    secret, nobody = str(world.client.key), world.client.using(None)
    assert (await nobody.get("/v1/models", x_api_key=secret)).status == 200
    assert (await world.client.get("/v1/models", x_api_key=secret)).status == 200
    different = await world.client.get("/v1/models", x_api_key="rx-another")
    for wrong in (different, await nobody.get("/v1/models", x_api_key="")):
        assert (wrong.status, wrong.error["code"]) == (401, "invalid_api_key")


async def test_a_change_while_the_store_is_asked_is_not_missed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key, client = await limited(world)
    ask = world.store.credential

    def slow(digest: str) -> Any:
        found = ask(digest)
        world.gateway.keys.forget(digest)
        return found

    monkeypatch.setattr(world.store, "credential", slow)
    assert (await client.get("/v1/models")).status == 200
    monkeypatch.setattr(world.store, "credential", ask)
    world.store.revoke_key(key["id"])
    assert (await client.get("/v1/models")).status == 401
