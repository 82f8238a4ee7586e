"""`GET /v1/usage`: whose rows, which of them, and what they add up to."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.gateway.conftest import World
from tests.store.ledger.rows import NOON, row

HOUR = 3_600


@pytest.fixture
def used(world: World) -> World:
    """A server whose administrator made five requests, an hour from each other, the first at noon."""
    world.gateway.ledger.store.add(
        [
            row(
                f"req_{at}",
                NOON + at * HOUR,
                account_id=world.account.id,
                key_id=f"key_{at % 2}",
                model=["gpt-4.1", "smollm2"][at % 2],
                session_id="" if at < 3 else "talk",
                cost_nano_usd=None if at == 1 else 1_000 + at,
                saved_nano_usd=None if at == 1 else -at,
                blocks=bytes(range(8)),
            )
            for at in range(5)
        ]
    )
    return world


async def get(world: World, query: str = "") -> Any:
    answer = await world.client.get(f"/v1/usage{query}")
    assert answer.status == 200, answer.body
    return answer.json


async def test_rows_newest_first_and_what_they_add_up_to(used: World) -> None:
    found = await get(used)
    assert (found["object"], found["has_more"]) == ("list", False)
    assert [one["request_id"] for one in found["data"]] == ["req_4", "req_3", "req_2", "req_1", "req_0"]
    assert found["data"][0] == {
        "object": "usage",
        "request_id": "req_4",
        "created": NOON + 4 * HOUR,
        "account_id": used.account.id,
        "key_id": "key_0",
        "session_id": "talk",
        "model": "gpt-4.1",
        "served_by": "gpt-4.1",
        "provider": "openai",
        "api": "chat",
        "stream": False,
        "status": 200,
        "prompt_tokens": 100,
        "cached_tokens": 60,
        "cache_write_tokens": 10,
        "long_write_tokens": 0,
        "completion_tokens": 20,
        "reasoning_tokens": 0,
        "disk_tokens": 0,
        "cost_nano_usd": 1_004,
        "saved_nano_usd": -4,
        "ttft_ms": 12.5,
        "duration_ms": 250.0,
        "estimated": False,
        "fallback_from": "",
    }
    assert found["data"][3]["cost_nano_usd"] is None
    assert found["totals"] == {
        "requests": 5,
        "prompt_tokens": 500,
        "cached_tokens": 300,
        "cache_write_tokens": 50,
        "long_write_tokens": 0,
        "completion_tokens": 100,
        "reasoning_tokens": 0,
        "disk_tokens": 0,
        "cost_nano_usd": 4_009,
        "saved_nano_usd": -9,
        "unknown_price_requests": 1,
        "ttft_ms": 12.5,
    }


async def test_pages(used: World) -> None:
    seen, before = [], ""
    while True:
        page = await get(used, f"?limit=2{before}")
        seen += [one["request_id"] for one in page["data"]]
        assert page["totals"]["requests"] == 5
        if not page["has_more"]:
            break
        before = f"&before={seen[-1]}"
    assert seen == ["req_4", "req_3", "req_2", "req_1", "req_0"]


@pytest.mark.parametrize(
    ("since", "until", "wanted"),
    [
        (NOON + HOUR, NOON + 3 * HOUR, [2, 1]),
        (NOON + HOUR + 0.5, None, [4, 3, 2]),
        (None, "2026-11-25", [4, 3, 2, 1, 0]),
        ("2026-11-24T13:00:00Z", "2026-11-24T14:00:00", [1]),
        ("2026-11-24T15:00:00+02:00", None, [4, 3, 2, 1]),
        ("2026-11-25", None, []),
    ],
)
async def test_stretches_of_time(used: World, since: Any, until: Any, wanted: list[int]) -> None:
    asked = {"since": since, "until": until}
    query = "&".join(f"{name}={quote(str(value))}" for name, value in asked.items() if value is not None)
    found = await get(used, f"?{query}")
    assert [one["request_id"] for one in found["data"]] == [f"req_{at}" for at in wanted]
    assert found["totals"]["requests"] == len(wanted)


async def test_groups(used: World) -> None:
    models = await get(used, "?group_by=model")
    assert [(one["model"], one["requests"], one["cost_nano_usd"], one["last"]) for one in models["data"]] == [
        ("gpt-4.1", 3, 3_006, NOON + 4 * HOUR),
        ("smollm2", 2, 1_003, NOON + 3 * HOUR),
    ]
    assert models["totals"]["requests"] == 5
    keys = await get(used, "?group_by=key&limit=1")
    assert ([one["key_id"] for one in keys["data"]], keys["has_more"]) == (["key_0"], True)
    sessions = await get(used, "?group_by=session")
    assert [(one["session_id"], one["requests"]) for one in sessions["data"]] == [("talk", 2), ("", 3)]
    days = await get(used, f"?group_by=day&since={NOON + 1}")
    assert [(one["day"], one["requests"]) for one in days["data"]] == [("2026-11-24", 4)]


async def test_an_amount_that_is_wholly_unknown_is_null(used: World) -> None:
    found = await get(used, f"?since={NOON + HOUR}&until={NOON + 2 * HOUR}")
    assert (found["totals"]["requests"], found["totals"]["cost_nano_usd"]) == (1, None)
    none = await get(used, "?since=2030-01-01")
    assert (none["totals"]["requests"], none["totals"]["cost_nano_usd"]) == (0, 0)


async def test_blocks_are_told_on_demand(used: World) -> None:
    assert "blocks" not in (await get(used))["data"][0]
    assert (await get(used, "?include=blocks"))["data"][0]["blocks"] == "0001020304050607"


async def test_a_row_is_there_soon_after_it_was_appended(used: World) -> None:
    used.gateway.ledger.append(row("req_new", NOON + 9 * HOUR, account_id=used.account.id))
    assert used.gateway.ledger.flush(20.0)
    assert (await get(used))["data"][0]["request_id"] == "req_new"


async def test_everyone_sees_their_own(used: World) -> None:
    account, client = used.account_client("acme")
    used.gateway.ledger.store.add([row("req_acme", account_id=account.id, session_id="talk")])
    for query in ("", f"?account={account.id}", "?account=acme"):
        answer = await client.get(f"/v1/usage{query}")
        assert [one["request_id"] for one in answer.json["data"]] == ["req_acme"]
    for other in (used.account.id, used.account.name, "*", "nobody"):
        refused = await client.get(f"/v1/usage?account={quote(other)}")
        assert (refused.status, refused.error["param"]) == (403, "account")
    hidden = await client.get("/v1/usage?before=req_1")
    assert (hidden.status, hidden.error["param"]) == (404, "before")
    # An administrator sees their own, unless they ask for others.
    assert (await get(used))["totals"]["requests"] == 5
    assert [one["request_id"] for one in (await get(used, "?account=acme"))["data"]] == ["req_acme"]
    assert (await get(used, "?account=*"))["totals"]["requests"] == 6
    sessions = (await get(used, "?account=*&group_by=session"))["data"]
    # A session's name is its account's own.
    assert {(one["account_id"], one["session_id"], one["requests"]) for one in sessions} == {
        (used.account.id, "talk", 2),
        (used.account.id, "", 3),
        (account.id, "talk", 1),
    }
    missing = await used.client.get("/v1/usage?account=nobody")
    assert (missing.status, missing.error["param"]) == (404, "account")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("since=yesterday", "since"),
        ("since=", "since"),
        ("since=-1", "since"),
        ("since=nan", "since"),
        ("since=999999999999999", "since"),
        ("until=2026-13-01", "until"),
        ("since=2026-11-25&until=2026-11-24", "until"),
        ("since=5&until=5", "until"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("group_by=colour", "group_by"),
        ("before=", "before"),
        ("before=req_1&group_by=model", "before"),
        ("include=text", "include"),
        ("include=blocks&group_by=day", "include"),
        ("account=", "account"),
        ("account=%00", "account"),
        ("before=%00", "before"),
        ("model=gpt-4.1", "model"),
    ],
)
async def test_parameters_that_cannot_be(used: World, query: str, param: str) -> None:
    answer = await used.client.get(f"/v1/usage?{query}")
    assert (answer.status, answer.error["param"]) == (400, param)
    assert answer.error["type"] == "invalid_request_error"


async def test_a_row_that_is_not_there(used: World) -> None:
    answer = await used.client.get("/v1/usage?before=req_none")
    assert (answer.status, answer.error["param"]) == (404, "before")


@pytest.mark.parametrize("text", ["%ff%fe", "a" * 5_000, "'; drop table ledger; --"])
@pytest.mark.parametrize("name", ["before", "account"])
async def test_strange_names(used: World, name: str, text: str) -> None:
    answer = await used.client.get(f"/v1/usage?{name}={quote(text, safe='%')}")
    assert (answer.status, answer.error["param"]) == (404, name)
    assert len(answer.body) < 1_000
