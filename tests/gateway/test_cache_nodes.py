"""`/v1/cache/nodes/{id}`: one node with those above it, its retention, and dropping it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.gateway.veil import BITS, unveiled, veiled
from tests.gateway.conftest import World
from tests.gateway.fakes import Client

SECRET = "the secret plan"


async def nodes(client: Client) -> list[dict[str, Any]]:
    return list((await client.get("/v1/cache/tree")).json["data"])


async def patch(client: Client, number: int, body: str) -> Any:
    return await client.call("PATCH", f"/v1/cache/nodes/{number}", body.encode())


async def test_a_node_comes_after_those_above_it(world: World) -> None:
    await world.client.chat("mine")
    first, second = await nodes(world.client)
    answer = (await world.client.get(f"/v1/cache/nodes/{second['id']}")).json
    assert answer["object"] == "cache.node"
    assert [(one["id"], one["parent"], one["text"]) for one in answer["path"]] == [
        (first["id"], 0, "user: mine"),
        (second["id"], first["id"], "\nassistant: "),
    ]


async def test_a_pin_comes_and_goes(world: World) -> None:
    await world.client.chat("mine")
    first, second = await nodes(world.client)
    held = (await patch(world.client, second["id"], '{"pin": true, "cache_ttl_seconds": 600}')).json["path"]
    assert [(one["pin"], 590 < one["expiry"] <= 600) for one in held] == [(True, True)] * 2
    freed = (await patch(world.client, second["id"], "{}")).json["path"]
    assert [(one["pin"], one["priority"], one["expiry"]) for one in freed] == [(False, False, None)] * 2
    assert (await patch(world.client, first["id"], '{"high_priority": true}')).json["path"][0]["priority"] is True
    assert [one["priority"] for one in await nodes(world.client)] == [True, False]


async def test_dropping_a_node_drops_what_is_below_it_and_what_only_leads_to_it(world: World) -> None:
    for said in ("mine", "mint", "other"):
        await world.client.chat(said)
    shared = next(one for one in await nodes(world.client) if one["text"] == "min")
    dropped = (await world.client.delete(f"/v1/cache/nodes/{shared['id']}")).json
    assert dropped == {
        "object": "cache.flushed",
        "dropped_tokens": 3 + 2 * len("e\nassistant: "),
        "dropped_host_tokens": 0,
        "dropped_disk_tokens": 0,
    }
    assert "".join(one["text"] for one in await nodes(world.client)) == "user: other\nassistant: "
    assert (await world.client.get(f"/v1/cache/nodes/{shared['id']}")).status == 404


async def test_one_in_a_salted_namespace_is_dropped_there_alone(world: World) -> None:
    await world.client.chat("mine")
    await world.client.chat("mine", cache_salt="s")
    salted = next(one for one in await nodes(world.client) if "/" in one["namespace"])
    await world.client.delete(f"/v1/cache/nodes/{salted['id']}")
    assert {one["namespace"] for one in await nodes(world.client)} == {world.account.id}


async def test_another_accounts_nodes_are_not_there(world: World) -> None:
    _, client = world.account_client("other")
    await world.client.chat(SECRET)
    await client.chat("theirs")
    for number in [one["id"] for one in await nodes(world.client) if one["namespace"] == world.account.id]:
        for answer in (
            await client.get(f"/v1/cache/nodes/{number}"),
            await patch(client, number, '{"pin": true}'),
            await client.delete(f"/v1/cache/nodes/{number}"),
        ):
            assert answer.status == 404
            assert "no such node" in answer.error["message"]
            assert SECRET not in answer.body.decode()
    assert len(await nodes(world.client)) == 4
    # An administrator acts on everyone's, and reads no one's text but their own.
    theirs = (await nodes(client))[0]["id"]
    held = (await patch(world.client, theirs, '{"pin": true}')).json["path"]
    assert [(one["pin"], one["text"]) for one in held] == [(True, None)]


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", str(1 << BITS), "9" * 30, "123456"])
async def test_a_number_that_is_no_nodes(world: World, number: str) -> None:
    await world.client.chat("mine")
    answer = await world.client.get(f"/v1/cache/nodes/{number}")
    assert (answer.status, answer.error["param"]) == (404, "id")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"cache_ttl_seconds": 0}', "cache_ttl_seconds"),
        ('{"cache_ttl_seconds": 86401}', "cache_ttl_seconds"),
        ('{"pin": 1}', "pin"),
        # A misspelt wish is not no wish, which would take the node's retention away.
        ('{"pinned": true}', "pinned"),
    ],
)
async def test_what_is_wrong_is_named(world: World, body: str, field: str) -> None:
    await world.client.chat("mine")
    answer = await patch(world.client, (await nodes(world.client))[0]["id"], body)
    assert (answer.status, answer.error["param"]) == (400, field)


@given(st.integers(0, (1 << BITS) - 1))
def test_numbers_come_back_from_behind_the_veil(number: int) -> None:
    hidden = veiled(number)
    assert 0 <= hidden < 1 << BITS
    assert unveiled(hidden) == number
    assert (hidden == 0) == (number == 0)


def test_the_veil_hides_the_order() -> None:
    hidden = [veiled(number) for number in range(1, 200)]
    assert len(set(hidden)) == len(hidden)
    rising = sum(after > before for before, after in pairwise(hidden))
    assert 60 < rising < 140
