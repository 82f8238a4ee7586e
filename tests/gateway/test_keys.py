"""Keys over HTTP: who may do what, and that a revoked key stops at once."""

from __future__ import annotations

import time
from typing import Any

import pytest

from radixa.gateway import auth
from tests.gateway.conftest import World


async def test_no_key_and_wrong_keys(world: World) -> None:
    none = await world.client.using(None).get("/v1/models")
    assert none.status == 401
    assert "Authorization: Bearer rx-" in none.error["message"]
    wrong = await world.client.using("rx-0123456789abcdefghij").get("/v1/models")
    assert wrong.status == 401
    assert wrong.error["code"] == "invalid_api_key"
    assert wrong.error["type"] == "invalid_request_error"
    # Enough to tell which key it was, not enough to use it.
    assert "Incorrect API key provided: rx-…ghij" in wrong.error["message"]
    assert "0123456789" not in wrong.error["message"]


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer  ", "rx-abc", "\xff\xfe"])
async def test_headers_that_are_no_bearer(world: World, header: str) -> None:
    answer = await world.client.using(None).get("/v1/models", authorization=header)
    assert answer.status == 401


async def test_the_scheme_may_be_in_any_case(world: World) -> None:
    answer = await world.client.using(None).get("/v1/models", authorization=f"bearer  {world.client.key} ")
    assert answer.status == 200


async def test_ops_routes_need_no_key(world: World) -> None:
    for path in ("/health", "/ready", "/metrics"):
        assert (await world.client.using(None).get(path)).status == 200


async def test_a_new_key_works_and_is_listed_without_its_secret(world: World) -> None:
    made = await world.client.post("/v1/keys", {"name": "laptop"})
    assert made.status == 200
    secret = made.json["key"]
    assert secret.startswith("rx-")
    assert made.json["hint"] == secret[-4:]
    assert made.json["admin"] is False
    assert made.json["account_id"] == world.account.id
    assert (await world.client.using(secret).chat()).status == 200
    listed = await world.client.get("/v1/keys")
    assert [key["name"] for key in listed.json["data"]] == ["first", "laptop"]
    assert secret not in listed.body.decode()
    assert world.store.keys()[1].digest not in listed.body.decode()


async def test_a_revoked_key_stops_at_once(world: World) -> None:
    made = (await world.client.post("/v1/keys", {"name": "lost"})).json
    client = world.client.using(made["key"])
    assert (await client.get("/v1/models")).status == 200
    gone = await world.client.delete(f"/v1/keys/{made['id']}")
    assert gone.status == 200
    assert gone.json["revoked"] is not None
    assert (await client.get("/v1/models")).status == 401


async def test_a_key_revoked_elsewhere_stops_soon(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = (await world.client.post("/v1/keys", {"name": "lost"})).json
    client = world.client.using(made["key"])
    assert (await client.get("/v1/models")).status == 200
    world.store.revoke_key(made["id"])
    now = time.monotonic()
    monkeypatch.setattr(auth.time, "monotonic", lambda: now + auth.REMEMBER_S + 0.1)
    assert (await client.get("/v1/models")).status == 401


async def test_a_known_key_costs_no_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await world.client.get("/v1/models")).status == 200

    def refuse(digest: str) -> None:
        raise AssertionError("asked the store")

    monkeypatch.setattr(world.store, "credential", refuse)
    assert (await world.client.get("/v1/models")).status == 200


async def test_an_administrator_makes_accounts_by_naming_them(world: World) -> None:
    one = (await world.client.post("/v1/keys", {"account": "acme"})).json
    two = (await world.client.post("/v1/keys", {"account": "acme", "admin": True})).json
    by_id = (await world.client.post("/v1/keys", {"account": one["account_id"]})).json
    assert one["account_id"] == two["account_id"] == by_id["account_id"] != world.account.id
    assert two["admin"] is True
    acme = await world.client.get("/v1/keys?account=acme")
    assert {key["id"] for key in acme.json["data"]} == {one["id"], two["id"], by_id["id"]}
    nobody = await world.client.get("/v1/keys?account=nobody")
    assert (nobody.status, nobody.error["param"]) == (404, "account")


async def test_a_plain_key_keeps_to_its_own_account(world: World) -> None:
    account, client = world.account_client("acme")
    mine = (await client.post("/v1/keys", {"name": "second"})).json
    assert mine["account_id"] == account.id
    assert {key["account_id"] for key in (await client.get("/v1/keys?account=admin")).json["data"]} == {account.id}
    for body in ({"admin": True}, {"account": "other"}, {"account": "default"}, {"account": world.account.id}):
        answer = await client.post("/v1/keys", body)
        assert (answer.status, answer.error["param"]) == (403, next(iter(body)))
    assert [found.name for found in world.store.accounts()] == ["default", "acme"]
    first = world.store.keys(world.account.id)[0]
    assert (await client.delete(f"/v1/keys/{first.id}")).status == 404
    assert (await client.delete(f"/v1/keys/{mine['id']}")).status == 200


async def test_a_plain_key_of_an_administrators_account_is_plain(world: World) -> None:
    plain = (await world.client.post("/v1/keys", {})).json
    client = world.client.using(plain["key"])
    admin = world.store.keys(world.account.id)[0]
    assert (await client.delete(f"/v1/keys/{admin.id}")).status == 403
    assert (await client.post("/v1/keys", {"admin": True})).status == 403


async def test_the_last_administrator_cannot_lock_everyone_out(world: World) -> None:
    first = world.store.keys()[0]
    refused = await world.client.delete(f"/v1/keys/{first.id}")
    assert refused.status == 400
    assert "last administrator" in refused.error["message"]
    second = (await world.client.post("/v1/keys", {"admin": True})).json
    assert (await world.client.delete(f"/v1/keys/{first.id}")).status == 200
    assert (await world.client.using(second["key"]).get("/v1/keys")).status == 200


async def test_ones_own_account_may_be_named(world: World) -> None:
    account, client = world.account_client("bobs")
    for own in ("bobs", account.id):
        made = await client.post("/v1/keys", {"account": own})
        assert (made.status, made.json["account_id"], made.json["account"]) == (200, account.id, "bobs")
        assert (await client.post("/v1/keys", {"account": own, "admin": True})).status == 403


async def test_keys_say_whose_they_are(world: World) -> None:
    made = (await world.client.post("/v1/keys", {"account": "acme"})).json
    assert made["account"] == "acme"
    listed = (await world.client.get("/v1/keys")).json["data"]
    assert [key["account"] for key in listed] == ["default", "acme"]
    assert [key["account"] for key in (await world.client.get("/v1/keys?account=acme")).json["data"]] == ["acme"]
    assert (await world.client.delete(f"/v1/keys/{made['id']}")).json["account"] == "acme"


async def test_a_mistyped_id_makes_no_account(world: World) -> None:
    answer = await world.client.post("/v1/keys", {"account": "acct_zzzz"})
    assert (answer.status, answer.error["param"]) == (400, "account")
    assert "There is no account 'acct_zzzz'" in answer.error["message"]
    assert world.store.accounts() == [world.account]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "zero\0byte"}, "name"),
        ({"account": "zero\0byte"}, "account"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"admin": "yes"}, "admin"),
        ({"account": ""}, "account"),
    ],
)
async def test_bad_keys(world: World, body: dict[str, Any], param: str) -> None:
    answer = await world.client.post("/v1/keys", body)
    assert (answer.status, answer.error["param"]) == (400, param)


async def test_a_key_nobody_has(world: World) -> None:
    answer = await world.client.delete("/v1/keys/key_0")
    assert (answer.status, answer.error["param"]) == (404, "id")
