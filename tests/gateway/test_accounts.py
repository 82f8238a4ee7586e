"""Accounts, credits, sign-up and the audit log over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from radixa.core.config import AccountsConfig
from radixa.core.money import NANO_PER_USD
from radixa.gateway.limits.addresses import Addresses
from tests.gateway.conftest import Build, World
from tests.gateway.fakes import Client


def configured(world: World, **accounts: Any) -> World:
    world.gateway.config = msgspec.structs.replace(world.gateway.config, accounts=AccountsConfig(**accounts))
    return world


async def opened(world: World, **fields: Any) -> tuple[dict[str, Any], Client]:
    """A new account, and a client with a plain key of it."""
    made = await world.client.post("/v1/accounts", {"name": "acme"} | fields)
    assert made.status == 200, made.body
    _, secret = world.store.create_key(made.json["id"], "plain")
    return made.json, world.client.using(secret)


async def test_a_new_account_has_free_credits(world: World) -> None:
    account, client = await opened(world, rpm=5)
    assert (account["granted_usd"], account["credit_limit_usd"], account["rpm"], account["tpm"]) == (1.0, 0.0, 5, None)
    found = (await client.get("/v1/credits")).json
    assert found["granted_nano_usd"] == found["left_nano_usd"] == NANO_PER_USD
    assert (found["spent_usd"], found["reserved_usd"], found["left_usd"]) == (0.0, 0.0, 1.0)
    listed = (await world.client.get("/v1/accounts")).json["data"]
    assert [found["name"] for found in listed] == ["default", "acme"]
    assert (await world.client.get(f"/v1/accounts/{account['id']}")).json == listed[1] == account


async def test_the_first_account_is_not_held_to_credits(world: World) -> None:
    assert (await world.client.get("/v1/credits")).json["left_usd"] is None
    changed = await world.client.call("PATCH", f"/v1/accounts/{world.account.id}", b'{"credit_limit_usd": 5}')
    assert changed.json["credit_limit_usd"] == 5.0
    assert (await world.client.get("/v1/credits")).json["left_usd"] == 5.0


async def test_only_administrators(world: World) -> None:
    account, client = await opened(world)
    for method, path in [
        ("GET", "/v1/accounts"),
        ("POST", "/v1/accounts"),
        ("PATCH", f"/v1/accounts/{account['id']}"),
        ("POST", f"/v1/accounts/{account['id']}/credits"),
        ("GET", "/v1/audit"),
    ]:
        assert (await client.call(method, path, b'{"name": "x", "amount_usd": 5}')).status == 403
    # Another account may be asked about, and is not answered about.
    assert (await client.get("/v1/credits?account=default")).json["account_id"] == account["id"]


async def test_no_credit_left(world: World) -> None:
    configured(world, free_credits_usd=0.0)
    account, client = await opened(world)
    refused = await client.chat(model="gpt-4.1")
    assert (refused.status, refused.error["code"], refused.error["type"]) == (
        429,
        "insufficient_quota",
        "insufficient_quota",
    )
    assert refused.headers["x-should-retry"] == "false"
    # The engine's own model costs nothing.
    assert (await client.chat()).status == 200
    topped = await world.client.post(f"/v1/accounts/{account['id']}/credits", {"amount_usd": 1})
    assert (topped.status, topped.json["added"], topped.json["amount_usd"]) == (200, True, 1.0)
    assert (await client.chat(model="gpt-4.1")).status == 200
    found = (await client.get("/v1/credits")).json
    assert found["reserved_nano_usd"] == 0
    assert found["spent_nano_usd"] > 0
    assert found["left_nano_usd"] == NANO_PER_USD - found["spent_nano_usd"]


async def test_a_top_up_is_added_once(world: World) -> None:
    account, client = await opened(world)
    path = f"/v1/accounts/{account['id']}/credits"
    answers = await asyncio.gather(
        *(world.client.post(path, {"amount_usd": 0.1}, idempotency_key="invoice-7") for _ in range(8))
    )
    assert [answer.status for answer in answers] == [200] * 8
    assert len({answer.json["id"] for answer in answers}) == 1
    assert sum(answer.json["added"] for answer in answers) == 1
    same = await world.client.post(path, {"amount_usd": 0.1, "idempotency_key": "invoice-7"})
    assert same.json["added"] is False
    other = await world.client.post(path, {"amount_usd": 0.2, "idempotency_key": "invoice-7"})
    assert (other.status, other.error["param"]) == (409, "idempotency_key")
    both = await world.client.post(path, {"amount_usd": 0.1, "idempotency_key": "a"}, idempotency_key="b")
    assert both.status == 400
    assert (await client.get("/v1/credits")).json["granted_nano_usd"] == 1_100_000_000
    entries = (await world.client.get(path)).json["data"]
    assert [(entry["kind"], entry["amount_nano_usd"]) for entry in entries] == [
        ("grant", NANO_PER_USD),
        ("top_up", 100_000_000),
    ]


async def test_a_correction_takes_back(world: World) -> None:
    account, client = await opened(world)
    path = f"/v1/accounts/{account['id']}/credits"
    assert (await world.client.post(path, {"amount_usd": -0.4})).status == 400
    assert (await world.client.post(path, {"amount_usd": 0})).status == 400
    assert (await world.client.post(path, {"amount_usd": 1e-10})).status == 400
    made = await world.client.post(path, {"amount_usd": -0.4, "kind": "correction", "note": "paid twice"})
    assert (made.status, made.json["note"]) == (200, "paid twice")
    assert (await client.get("/v1/credits")).json["left_usd"] == 0.6


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("POST", "/v1/accounts", b'{"name": ""}', 400, "name"),
        ("POST", "/v1/accounts", b'{"name": "x", "rpm": -1}', 400, "rpm"),
        ("POST", "/v1/accounts", b'{"name": "default"}', 400, "account"),
        ("PATCH", "/v1/accounts/nobody", b"{}", 404, "account"),
        ("POST", "/v1/accounts/nobody/credits", b'{"amount_usd": 1}', 404, "account"),
        ("POST", "/v1/accounts/default", b'{"amount_usd": 1}', 405, None),
        ("POST", "/v1/accounts/default/credits", b"{}", 400, "amount_usd"),
        ("GET", "/v1/accounts/nobody/credits", b"", 404, "account"),
        ("GET", "/v1/audit?limit=0", b"", 400, "limit"),
    ],
)
async def test_bad_requests(world: World, method: str, path: str, body: bytes, status: int, param: str | None) -> None:
    answer = await world.client.call(method, path, body)
    assert (answer.status, answer.error["param"]) == (status, param)


async def test_limits_of_an_account_change_at_once(world: World) -> None:
    account, client = await opened(world, rpm=1)
    assert (await client.chat()).status == 200
    refused = await client.chat()
    assert refused.status == 429
    assert f"all models in organization {account['id']}" in refused.error["message"]
    raised = await world.client.call("PATCH", f"/v1/accounts/{account['id']}", b'{"rpm": null, "tpm": 100000}')
    assert (raised.json["rpm"], raised.json["tpm"], raised.json["credit_limit_usd"]) == (None, 100_000, 0.0)
    assert (await client.chat()).status == 200
    [limit] = (await client.get("/v1/rate_limits")).json["data"][:1]
    assert (limit["scope"], limit["requests"], limit["tokens"]["limit"]) == ("account", None, 100_000)
    assert 0 < limit["tokens"]["used"] < 1000


async def test_rate_limits_of_models(world: World) -> None:
    _, client = await opened(world)
    assert (await client.chat(model="gpt-4.1")).status == 200
    found = {limit["model"]: limit for limit in (await client.get("/v1/rate_limits")).json["data"]}
    assert "fake-model" not in found
    assert found["gpt-4.1"]["requests"]["limit"] == 500
    assert found["gpt-4.1"]["requests"]["used"] == 1
    assert found["gpt-4.1-mini"]["requests"] == {"limit": 500, "used": 0, "remaining": 500, "reset_ms": 0}


async def test_signing_up(build: Build) -> None:
    world = configured(build(), self_signup=True)
    nobody = world.client.using(None)
    made = await nobody.post("/v1/signup", {"name": "me"})
    assert made.status == 200
    assert (made.json["account"]["name"], made.json["account"]["granted_usd"]) == ("me", 1.0)
    assert made.json["api_key"]["admin"] is False
    client = world.client.using(made.json["key"])
    assert (await client.get("/v1/credits")).json["left_usd"] == 1.0
    assert (await nobody.call("POST", "/v1/signup")).status == 200
    taken = await nobody.post("/v1/signup", {"name": "me"})
    assert taken.status == 400
    [entry] = [e for e in world.store.audit() if e.action == "account.create" and e.details["name"] == "me"]
    assert entry.actor.request_id == made.headers["x-request-id"]


async def test_signing_up_too_often(build: Build) -> None:
    world = configured(build(), self_signup=True)
    nobody = world.client.using(None)
    statuses = [(await nobody.call("POST", "/v1/signup")).status for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    refused = await nobody.call("POST", "/v1/signup")
    assert 55 <= int(refused.headers["retry-after"]) <= 61


async def test_signing_up_where_nobody_may(world: World) -> None:
    answer = await world.client.using(None).post("/v1/signup", {})
    assert (answer.status, answer.error["code"]) == (403, "signup_disabled")
    assert len(world.store.accounts()) == 1


def test_addresses_by_network() -> None:
    now = 10**12
    found = Addresses(1, lambda: now)
    assert found.wait("198.51.100.7") == 0
    assert found.wait("198.51.100.7") == 61_000
    assert found.wait("::ffff:198.51.100.7") == 61_000
    assert found.wait("198.51.100.8") == 0
    assert found.wait("2001:db8::1") == 0
    assert found.wait("2001:db8::ffff:1") == 61_000
    assert found.wait("2001:db8:0:1::1") == 0


def test_a_crowd_of_addresses_is_one() -> None:
    now = 10**12
    clock: Callable[[], int] = lambda: now  # noqa: E731
    found = Addresses(1, clock)
    for number in range(10_000):
        assert found.wait(f"10.0.{number // 256}.{number % 256}") == 0
    assert found.wait("192.0.2.1") == 0
    assert found.wait("192.0.2.2") > 0
    now += 61_000
    assert found.wait("192.0.2.3") == 0
    assert len(found._windows) == 1


async def test_every_act_is_in_the_log_and_no_secret(world: World) -> None:
    account, _ = await opened(world)
    key = await world.client.post("/v1/keys", {"account": "acme", "name": "laptop", "rpm": 3})
    await world.client.call("PATCH", f"/v1/keys/{key.json['id']}", b'{"rpm": 4}')
    await world.client.delete(f"/v1/keys/{key.json['id']}")
    await world.client.call("PATCH", f"/v1/accounts/{account['id']}", b'{"tpm": 9}')
    await world.client.post(f"/v1/accounts/{account['id']}/credits", {"amount_usd": 2})
    log = await world.client.get("/v1/audit?account=acme")
    assert key.json["key"] not in log.body.decode()
    found = log.json["data"]
    acts = [(entry["action"], entry["target"]) for entry in found if entry["request_id"]]
    assert [action for action, _ in acts] == [
        "credit.add", "account.change", "key.revoke", "key.change", "key.create", "account.create",
    ]  # fmt: skip
    assert acts[2][1] == key.json["id"]
    made = next(entry for entry in found if entry["target"] == key.json["id"] and entry["action"] == "key.create")
    assert made["request_id"] == key.headers["x-request-id"]
    assert made["actor"] == {"account_id": world.account.id, "key_id": world.store.keys(world.account.id)[0].id}
    assert made["details"]["limits"]["rpm"] == 3
    first = (await world.client.get("/v1/audit?limit=2")).json
    assert first["has_more"] is True
    rest = (await world.client.get(f"/v1/audit?limit=1000&before={first['data'][-1]['id']}")).json
    assert rest["has_more"] is False
    assert [e["id"] for e in first["data"] + rest["data"]] == [
        e["id"] for e in (await world.client.get("/v1/audit")).json["data"]
    ]
