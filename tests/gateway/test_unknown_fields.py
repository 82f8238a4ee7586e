"""Fields that nobody knows: Radixa's own routes refuse them, those that mirror another API's let them pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from radixa.core.config import AccountsConfig
from radixa.gateway.dialects.chat.body import ChatBody
from radixa.gateway.dialects.completions.body import CompletionBody
from radixa.gateway.routes import every_route
from radixa.gateway.routes.tokenize import DetokenizeBody, TokenizeBody
from tests.gateway.conftest import World

MIRRORS = ("/v1/chat/", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings")
OF_OTHERS = {ChatBody, CompletionBody, TokenizeBody, DetokenizeBody}
"""Bodies on routes of our own that another API has made: tokenizing is vLLM's."""

OWN: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("POST", "/v1/keys", {"name": "one", "budget_usd_day": 1}, "budget_usd_day", "budget_day_usd"),
    ("PATCH", "/v1/keys/{key}", {"rpn": 1}, "rpn", "rpm"),
    ("POST", "/v1/accounts", {"name": "one", "credit": 1}, "credit", "credit_limit_usd"),
    ("PATCH", "/v1/accounts/default", {"name": "other"}, "name", "credit_limit_usd"),
    ("POST", "/v1/accounts/default/credits", {"amount_usd": 1, "amount": 1}, "amount", "amount_usd"),
    ("POST", "/v1/signup", {"email": "x"}, "email", "name"),
    ("PUT", "/v1/catalogue/m", {"provider": "radixa", "price": []}, "price", "prices"),
    ("PUT", "/v1/catalogue/m", {"provider": "radixa", "prices": [{"in": 1}]}, "prices[0].in", "cached_input"),
    ("PATCH", "/v1/cache/nodes/1", {"ttl": 1}, "ttl", "cache_ttl_seconds"),
    ("POST", "/v1/collections", {"name": "one", "text": "x"}, "text", "documents"),
    ("POST", "/v1/collections/one", {"documents": [{"name": "a", "texts": "x"}]}, "documents[0].texts", "format"),
    ("POST", "/v1/collections/one/search", {"query": "x", "top_k": 1}, "top_k", "order"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "unknown", "known"), OWN, ids=[f"{m} {p} {u}" for m, p, _, u, _ in OWN]
)
async def test_an_unknown_field_is_refused_by_its_name(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    body: dict[str, Any],
    unknown: str,
    known: str,
) -> None:
    monkeypatch.setattr(world.gateway, "config", type(world.gateway.config)(accounts=AccountsConfig(self_signup=True)))
    key = world.store.create_key(world.account.id, "to be changed")[0]
    answer = await world.client.call(method, path.replace("{key}", key.id), json.dumps(body).encode())
    assert (answer.status, answer.error["param"], answer.error["code"]) == (400, unknown, "unknown_parameter")
    assert answer.error["message"].startswith(f"Unknown parameter: '{unknown}'. Expected no other than ")
    assert known in answer.error["message"].partition("Expected")[2]


def is_strict(kind: Any) -> bool:
    return bool(kind.__struct_config__.forbid_unknown_fields)


def test_every_body_is_strict_or_somebody_elses() -> None:
    own = {
        kind
        for route in every_route()
        if not route.name.startswith(MIRRORS)
        for made in route.methods.values()
        for kind in made.body
    }
    assert all(is_strict(kind) for kind in own - OF_OTHERS)
    assert own >= OF_OTHERS


async def test_what_mirrors_another_api_lets_them_pass(world: World) -> None:
    hello = [{"role": "user", "content": "hello"}]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/v1/chat/completions", {"messages": hello}),
        ("/v1/completions", {"prompt": "hello"}),
        ("/v1/responses", {"input": "hello"}),
        ("/v1/messages", {"messages": hello, "max_tokens": 8}),
        ("/v1/tokenize", {"prompt": "hello"}),
        ("/v1/cache/explain", {"messages": hello}),
    ]
    for path, body in asked:
        assert (await world.client.post(path, body | {"nobody_knows": 1})).status == 200, path
