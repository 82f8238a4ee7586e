"""The table of routes: which paths there are, and which handler answers which method."""

from __future__ import annotations

from radixa.gateway.base import Route
from radixa.gateway.routes import cache, chat, completions, explain, keys, models, ops, tokenize, warm

ROUTES: dict[str, Route] = {
    route.name: route
    for route in [
        Route("/v1/chat/completions", {"POST": chat.create}),
        Route("/v1/completions", {"POST": completions.create}),
        Route("/v1/models", {"GET": models.index}),
        Route("/v1/tokenize", {"POST": tokenize.tokenize}),
        Route("/v1/detokenize", {"POST": tokenize.detokenize}),
        Route("/v1/cache", {"GET": cache.show, "DELETE": cache.flush}),
        Route("/v1/cache/tree", {"GET": cache.tree}),
        Route("/v1/cache/explain", {"POST": explain.explain}),
        Route("/v1/cache/warm", {"POST": warm.warm}),
        Route("/v1/keys", {"GET": keys.index, "POST": keys.create}),
        Route("/health", {"GET": ops.health}, open=True),
        Route("/ready", {"GET": ops.ready}, open=True),
        Route("/metrics", {"GET": ops.metrics}, open=True),
    ]
}

PREFIXES: tuple[tuple[str, Route], ...] = (
    ("/v1/models/", Route("/v1/models/{id}", {"GET": models.show})),
    ("/v1/keys/", Route("/v1/keys/{id}", {"DELETE": keys.revoke})),
)
"""Paths that end in an id. A model's id may itself contain slashes."""
