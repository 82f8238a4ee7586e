"""The table of routes: which paths there are, and which handler answers which method."""

from __future__ import annotations

from collections.abc import Iterator

from radixa.gateway.base import Route
from radixa.gateway.dialects.messages.errors import MESSAGES_ERRORS
from radixa.gateway.routes import (
    accounts,
    audit,
    cache,
    cache_events,
    cache_nodes,
    catalogue,
    chat,
    collections,
    completions,
    embeddings,
    explain,
    keys,
    messages,
    models,
    openapi,
    ops,
    rate_limits,
    recent,
    responses,
    signup,
    tokenize,
    usage,
    warm,
)
from radixa.gateway.routes import credits as credit_routes

ROUTES: dict[str, Route] = {
    route.name: route
    for route in [
        Route("/v1/chat/completions", {"POST": chat.create}),
        Route("/v1/completions", {"POST": completions.create}),
        Route("/v1/responses", {"POST": responses.create}),
        Route("/v1/responses/input_tokens", {"POST": responses.input_tokens}),
        Route("/v1/messages", {"POST": messages.create}, errors=MESSAGES_ERRORS),
        Route("/v1/messages/count_tokens", {"POST": messages.count_tokens}, errors=MESSAGES_ERRORS),
        Route("/v1/embeddings", {"POST": embeddings.create}),
        Route("/v1/models", {"GET": models.index}),
        Route("/v1/tokenize", {"POST": tokenize.tokenize}),
        Route("/v1/detokenize", {"POST": tokenize.detokenize}),
        Route("/v1/cache", {"GET": cache.show, "DELETE": cache.flush}),
        Route("/v1/cache/tree", {"GET": cache.tree}),
        Route("/v1/cache/events", {"GET": cache_events.show}),
        Route("/v1/cache/explain", {"POST": explain.explain}),
        Route("/v1/cache/recent", {"GET": recent.index}),
        Route("/v1/cache/warm", {"POST": warm.warm}),
        Route("/v1/collections", {"GET": collections.index, "POST": collections.create}),
        Route("/v1/keys", {"GET": keys.index, "POST": keys.create}),
        Route("/v1/accounts", {"GET": accounts.index, "POST": accounts.create}, admin=True),
        Route("/v1/signup", {"POST": signup.create}, open=True),
        Route("/v1/credits", {"GET": credit_routes.show}),
        Route("/v1/rate_limits", {"GET": rate_limits.show}),
        Route("/v1/audit", {"GET": audit.index}, admin=True),
        Route("/v1/catalogue", {"GET": catalogue.index}, admin=True),
        Route("/v1/usage", {"GET": usage.index}),
        Route("/openapi.json", {"GET": openapi.showing(lambda: every_route())}, open=True),
        Route("/health", {"GET": ops.health}, open=True),
        Route("/ready", {"GET": ops.ready}, open=True),
        Route("/metrics", {"GET": ops.metrics}, open=True),
    ]
}

PREFIXES: tuple[tuple[str, str, Route], ...] = (
    ("/v1/models/", "", Route("/v1/models/{id}", {"GET": models.show})),
    (
        "/v1/catalogue/",
        "",
        Route(
            "/v1/catalogue/{id}",
            {"GET": catalogue.show, "PUT": catalogue.put, "DELETE": catalogue.remove},
            admin=True,
        ),
    ),
    (
        "/v1/cache/nodes/",
        "",
        Route(
            "/v1/cache/nodes/{id}",
            {"GET": cache_nodes.show, "PATCH": cache_nodes.change, "DELETE": cache_nodes.evict},
        ),
    ),
    ("/v1/collections/", "/search", Route("/v1/collections/{name}/search", {"POST": collections.search})),
    (
        "/v1/collections/",
        "/documents",
        Route("/v1/collections/{name}/documents", {"DELETE": collections.remove_document}),
    ),
    (
        "/v1/collections/",
        "",
        Route(
            "/v1/collections/{name}",
            {"GET": collections.show, "POST": collections.add, "DELETE": collections.remove},
        ),
    ),
    ("/v1/cache/recent/", "", Route("/v1/cache/recent/{id}", {"GET": recent.show})),
    ("/v1/keys/", "", Route("/v1/keys/{id}", {"PATCH": keys.change, "DELETE": keys.revoke})),
    (
        "/v1/accounts/",
        "/credits",
        Route("/v1/accounts/{id}/credits", {"GET": accounts.entries, "POST": accounts.top_up}, admin=True),
    ),
    (
        "/v1/accounts/",
        "",
        Route("/v1/accounts/{id}", {"GET": accounts.show, "PATCH": accounts.change}, admin=True),
    ),
)
"""Paths with an id between their beginning and their end. A model's id may itself contain slashes."""


def every_route() -> Iterator[Route]:
    yield from ROUTES.values()
    for _, _, route in PREFIXES:
        yield route
