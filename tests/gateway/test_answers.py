"""What Radixa's own routes really answer, against what `/openapi.json` says of it: each field there and described."""

from __future__ import annotations

import asyncio
import json
from copy import deepcopy
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from radixa.core.config import AccountsConfig
from radixa.gateway.routes import every_route
from tests.gateway.conftest import World
from tests.gateway.fakes import Answer, Client

CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hello there"}], "max_tokens": 4}
FORWARDED = ("/v1/responses", "/v1/messages", "/v1/embeddings")
"""Answers of other APIs, which a provider may have written: those say what is in them."""
OF_NO_OBJECT = {"GET /metrics", "GET /openapi.json"}


class Described:
    """Notes every call, and finds fault with an answer that is not as it is described."""

    def __init__(self, client: Client, document: dict[str, Any]) -> None:
        self.client = client
        self.tried: set[str] = set()
        self._paths = document["paths"]
        self._components = _closed(deepcopy(document["components"]))

    async def __call__(
        self, method: str, path: str, body: Any = None, status: int = 200, /, *, by: Client | None = None, **names: str
    ) -> Any:
        """The answer's JSON. `names` stand in the path; a query may follow it."""
        whole = path.format(**names)
        raw = b"" if body is None else json.dumps(body).encode()
        answer = await (by or self.client).call(method, whole, raw)
        assert answer.status == status, answer.body
        self.check(method, path.partition("?")[0], answer)
        return answer.json

    def check(self, method: str, path: str, answer: Answer) -> None:
        told = self._paths[path][method.lower()]["responses"][str(answer.status)]
        self.validate(told["content"][answer.headers["content-type"]]["schema"], answer.json)
        if answer.status == 200:
            self.tried.add(f"{method} {path}")

    def validate(self, schema: dict[str, Any], value: Any) -> None:
        jsonschema_rs.validate({**_closed(deepcopy(schema)), "components": self._components}, value)


def _closed(schema: Any) -> Any:
    """The same, where an object has no fields but those that are described."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _closed(one) for name, one in schema.items()}
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


@pytest.fixture
async def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> Described:
    config = msgspec.structs.replace(world.gateway.config, accounts=AccountsConfig(self_signup=True))
    monkeypatch.setattr(world.gateway, "config", config)
    document = (await world.client.using(None).get("/openapi.json")).json
    return Described(world.client, document)


async def test_every_answer_is_as_it_is_described(world: World, asked: Described) -> None:
    await keys_and_accounts(world, asked)
    await requests_and_their_traces(world, asked)
    await documents(asked)
    await models(asked)
    await asked("GET", "/health")
    await asked("GET", "/ready")
    await events(world, asked)
    own = {
        f"{method} {route.name}"
        for route in every_route()
        if not route.name.startswith(FORWARDED)
        for method in route.methods
    }
    assert asked.tried == own - OF_NO_OBJECT


async def keys_and_accounts(world: World, asked: Described) -> None:
    made = await asked("POST", "/v1/keys", {"name": "one", "budget_usd": 1.5, "models": ["fake-model"], "rpm": 3})
    assert made["key"].startswith("rx-")
    plain = await asked("POST", "/v1/keys")
    await asked("PATCH", "/v1/keys/{id}", {"expires": 2_000_000_000}, id=plain["id"])
    await asked("GET", "/v1/keys")
    await asked("DELETE", "/v1/keys/{id}", id=plain["id"])
    account = await asked("POST", "/v1/accounts", {"name": "two", "rpm": 60, "tpm": 1000, "concurrency": 2})
    await asked("PATCH", "/v1/accounts/{id}", {"credit_limit_usd": None}, id=account["id"])
    await asked("GET", "/v1/accounts/{id}", id="two")
    await asked("GET", "/v1/accounts")
    await asked("POST", "/v1/accounts/{id}/credits", {"amount_usd": 0.5, "note": "x"}, id="two")
    await asked("GET", "/v1/accounts/{id}/credits", id="two")
    await asked("GET", "/v1/credits")
    await asked("GET", "/v1/credits?account=two")
    await asked("GET", "/v1/audit?limit=3")
    await asked("POST", "/v1/signup", {}, by=world.client.using(None))
    limits = await asked("GET", "/v1/rate_limits", by=world.client.using(made["key"]))
    assert {one["scope"] for one in limits["data"]} == {"key"}
    assert {one["scope"] for one in (await asked("GET", "/v1/rate_limits"))["data"]} == {"model"}
    await world.client.post("/v1/keys", {"name": "three", "account": "two"})


async def requests_and_their_traces(world: World, asked: Described) -> None:
    await asked("POST", "/v1/cache/warm", CHAT)
    await asked("POST", "/v1/chat/completions", CHAT | {"session_id": "s"})
    await asked("POST", "/v1/chat/completions", CHAT | {"logprobs": True, "top_logprobs": 1, "model": "gpt-4.1"})
    await asked("POST", "/v1/completions", {"prompt": "hello", "max_tokens": 2})
    await asked("POST", "/v1/cache/explain?include=text", CHAT)
    tokens = (await asked("POST", "/v1/tokenize", {"prompt": "hello"}))["tokens"]
    await asked("POST", "/v1/detokenize", {"tokens": tokens})
    _, other = world.account_client("other")
    assert (await other.chat("another")).status == 200
    for by in (None, other):
        tree = await asked("GET", "/v1/cache/tree", by=by)
        assert tree["data"]
        assert {"engine", "retention"} <= set(await asked("GET", "/v1/cache", by=by)) or by is other
        await asked("GET", "/v1/cache/nodes/{id}", id=str(tree["data"][-1]["id"]), by=by)
    node = str(tree["data"][-1]["id"])
    await asked("PATCH", "/v1/cache/nodes/{id}", {"cache_ttl_seconds": 60}, id=node)
    recent = (await asked("GET", "/v1/cache/recent"))["data"]
    await asked("GET", "/v1/cache/recent/{id}", id=recent[0]["request_id"])
    assert await asyncio.to_thread(world.gateway.ledger.flush, 5.0)
    assert (await asked("GET", "/v1/usage?include=blocks&account=*"))["data"][0]["blocks"] is not None
    assert len((await asked("GET", "/v1/usage?limit=2"))["data"]) == 2
    for by_what in ("model", "key", "session", "day", "account"):
        for whose in ("", "&account=*"):
            assert (await asked("GET", f"/v1/usage?group_by={by_what}{whose}"))["data"]
    assert (await asked("GET", "/v1/usage?until=1"))["data"] == []
    await asked("DELETE", "/v1/cache/nodes/{id}", id=node)
    await asked("DELETE", "/v1/cache")


async def documents(asked: Described) -> None:
    name = "papers"
    await asked("POST", "/v1/collections", {"name": name})
    text = "# Rivers\n\nThe Rhine flows to the north sea."
    await asked("POST", "/v1/collections/{name}", {"documents": [{"name": "a.md", "text": text}]}, name=name)
    await asked("GET", "/v1/collections")
    await asked("GET", "/v1/collections/{name}", name=name)
    found = await asked("POST", "/v1/collections/{name}/search", {"query": "Where does the Rhine flow?"}, name=name)
    assert found["data"]
    await asked("DELETE", "/v1/collections/{name}/documents?document=a.md", name=name)
    await asked("DELETE", "/v1/collections/{name}", name=name)


async def models(asked: Described) -> None:
    await asked("GET", "/v1/models")
    await asked("GET", "/v1/models/{id}", id="deepseek-chat")
    entry = {"provider": "radixa", "prices": [{"input": 1}], "extra": {"thinking": {"type": "disabled"}}}
    await asked("PUT", "/v1/catalogue/{id}", entry, id="mine")
    assert (await asked("GET", "/v1/models/{id}", id="mine"))["radixa"]["prices_usd_per_mtok"] is None
    await asked("GET", "/v1/catalogue")
    await asked("GET", "/v1/catalogue/{id}", id="gpt-4.1")
    await asked("DELETE", "/v1/catalogue/{id}", id="mine")


async def events(world: World, asked: Described) -> None:
    """Those of the tree, of which each is one of those that are described."""
    leave, answer = asyncio.Event(), Answer()
    watching = asyncio.create_task(world.client.call("GET", "/v1/cache/events", leave=leave, answer=answer))
    async with asyncio.timeout(10):
        while b"event: open" not in answer.body:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
        await world.client.chat("something new")
        while b"event: changes" not in answer.body:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
    leave.set()
    await asyncio.gather(watching, return_exceptions=True)
    told = asked._paths["/v1/cache/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
    kinds = {one["properties"]["event"]["const"]: one["properties"]["data"]["contentSchema"] for one in told["anyOf"]}
    seen = set()
    for event in answer.body.decode().split("\n\n"):
        name, _, data = event.removeprefix("event: ").partition("\ndata: ")
        if data:
            asked.validate(kinds[name], json.loads(data))
            seen.add(name)
    assert seen == set(kinds) == {"open", "changes"}
    asked.tried.add("GET /v1/cache/events")


async def test_errors_are_as_they_are_described(world: World, asked: Described) -> None:
    _, plain = world.account_client("other")
    await asked("GET", "/v1/keys", None, 401, by=world.client.using(None))
    await asked("GET", "/v1/accounts", None, 403, by=plain)
    await asked("POST", "/v1/keys", {"nme": "x"}, 400)
    await asked("GET", "/v1/usage?limit=0", None, 400)
    await asked("GET", "/v1/accounts/{id}", None, 404, id="nobody")
    await asked("POST", "/v1/collections", {"name": "one"})
    await asked("POST", "/v1/collections", {"name": "one"}, 409)
    await asked("POST", "/v1/messages", {}, 400)
    world.engine.ready = False
    await asked("GET", "/ready", None, 503)
    await asked("GET", "/v1/cache", None, 503)
    world.engine.ready = True


async def test_a_shape_with_another_field_is_found_out(asked: Described) -> None:
    """The check itself: one field too many, one too few, one of another type."""
    document = asked._paths["/health"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    asked.validate(document, {"status": "ok"})
    for wrong in ({"status": "ok", "more": 1}, {}, {"status": 1}):
        with pytest.raises(jsonschema_rs.ValidationError):
            asked.validate(document, wrong)
