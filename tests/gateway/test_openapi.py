"""The server's description of itself: all routes, the types that decoders really read, the parameters really read."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from radixa.core.config import AccountsConfig
from radixa.gateway.base import Operation, Route
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.request import Request
from radixa.gateway.routes import every_route
from tests.gateway.conftest import World

HELLO = [{"role": "user", "content": "hello"}]
CHAT: dict[str, Any] = {"messages": HELLO, "max_tokens": 2}
TEXT: dict[str, Any] = {"prompt": "hello", "max_tokens": 2}
BODIES: dict[str, list[dict[str, Any]]] = {
    "POST /v1/chat/completions": [CHAT],
    "POST /v1/completions": [TEXT],
    "POST /v1/responses": [{"input": "hello"}],
    "POST /v1/responses/input_tokens": [{"input": "hello"}],
    "POST /v1/messages": [CHAT],
    "POST /v1/messages/count_tokens": [{"messages": HELLO}],
    "POST /v1/embeddings": [{"input": "hello"}],
    "POST /v1/tokenize": [{"prompt": "hello"}],
    "POST /v1/detokenize": [{"tokens": [65]}],
    "POST /v1/cache/explain": [CHAT, TEXT],
    "POST /v1/cache/warm": [CHAT, TEXT],
    "DELETE /v1/cache": [CHAT, TEXT],
    "PATCH /v1/cache/nodes/{id}": [{"pin": True}],
    "POST /v1/keys": [{"name": "one"}],
    "PATCH /v1/keys/{id}": [{"name": "other"}],
    "POST /v1/accounts": [{"name": "one"}],
    "PATCH /v1/accounts/{id}": [{"rpm": 1000}],
    "POST /v1/accounts/{id}/credits": [{"amount_usd": 1}],
    "PUT /v1/catalogue/{id}": [{"provider": "radixa"}],
    "POST /v1/signup": [{}],
    "POST /v1/collections": [{"name": "one"}],
    "POST /v1/collections/{name}": [{"documents": [{"name": "a", "text": "words"}]}],
    "POST /v1/collections/{name}/search": [{"query": "words"}],
}
"""One that its handler takes, for each type that it may read."""

OPERATIONS: list[tuple[Route, str, Operation]] = [
    (route, method, made) for route in every_route() for method, made in route.methods.items()
]


def called(route: Route, method: str) -> str:
    return f"{method} {route.name}"


async def described(world: World) -> dict[str, Any]:
    answer = await world.client.using(None).get("/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    return dict(answer.json)


async def test_every_route_and_method_is_described(world: World) -> None:
    found = await described(world)
    assert found["openapi"] == "3.1.0"
    told = {f"{method.upper()} {path}" for path, methods in found["paths"].items() for method in methods}
    assert told == {called(route, method) for route, method, _ in OPERATIONS}
    names = [one["operationId"] for methods in found["paths"].values() for one in methods.values()]
    assert len(set(names)) == len(names)
    assert all(one["summary"] for methods in found["paths"].values() for one in methods.values())


async def test_keys_are_asked_for_where_the_description_says_so(world: World) -> None:
    found = await described(world)
    for route, method, made in OPERATIONS:
        told = found["paths"][route.name][method.lower()]
        answer = await world.client.using(None).call(method, route.name.replace("{id}", "x"), b"{}")
        assert (answer.status == 401) is (told.get("security") != []), called(route, method)
        assert ("401" in told["responses"]) is (not route.open)
        assert ("requestBody" in told) is bool(made.body)
    _, plain = world.account_client("other")
    for route, method, _ in OPERATIONS:
        if route.admin:
            answer = await plain.call(method, route.name.replace("{id}", "x"), b"{}")
            assert answer.status == 403
            assert "For administrators." in found["paths"][route.name][method.lower()]["description"]


async def test_schemas_are_schemas_and_refer_to_what_is_there(world: World) -> None:
    found = await described(world)
    schemas = found["components"]["schemas"]
    for schema in schemas.values():
        jsonschema_rs.meta.validate(schema)
    text = json.dumps(found)
    referred = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert referred == set(schemas)


def test_every_operation_with_a_body_is_tried_here() -> None:
    assert set(BODIES) == {called(route, method) for route, method, made in OPERATIONS if made.body}
    assert all(len(BODIES[called(route, method)]) >= len(made.body) for route, method, made in OPERATIONS if made.body)


@pytest.mark.parametrize(("route", "method", "made"), OPERATIONS, ids=[called(r, m) for r, m, _ in OPERATIONS])
async def test_what_a_handler_reads_is_what_is_described(
    world: World, monkeypatch: pytest.MonkeyPatch, route: Route, method: str, made: Operation
) -> None:
    """Its body by the types that are described and no further ones, its query by the names that are."""
    read: set[type] = set()
    asked: set[str] = set()
    decode = BodyDecoder.__call__

    class Query(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            asked.add(name)
            return super().get(name, default)

    def noted(self: BodyDecoder[Any], body: bytes) -> Any:
        read.add(self._kind)
        return decode(self, body)

    key = world.store.create_key(world.account.id, "to be changed")[0]
    name = {"/v1/keys/{id}": key.id, "/v1/models/{id}": "fake-model"}.get(route.name, "default")
    if route.name == "/v1/signup":
        config = msgspec.structs.replace(world.gateway.config, accounts=AccountsConfig(self_signup=True))
        monkeypatch.setattr(world.gateway, "config", config)
    monkeypatch.setattr(BodyDecoder, "__call__", noted)
    monkeypatch.setattr(Request, "query", lambda self: Query())
    path = route.name.replace("{id}", name)
    # A stream that does not end by itself ends at once where nobody has an ear for it.
    monkeypatch.setattr(world.gateway.feed, "_stopping", lambda: True)
    for body in BODIES.get(called(route, method), [{}]):
        await world.client.call(method, path, json.dumps(body).encode())
    if method == "DELETE" and made.body:
        await world.client.call(method, path)
    assert set(made.body) <= read
    # What else is read of a body is a part of it, looked at before the whole.
    parts = {field.name for kind in made.body for field in msgspec.structs.fields(kind)}
    assert {field.name for kind in read for field in msgspec.structs.fields(kind)} <= parts
    assert asked == {one.name for one in made.query}
