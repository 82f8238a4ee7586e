"""Reading a server: its `/metrics`, and with a key its cache and the beginnings of its tree."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from radixa.bench.client import Client
from radixa.cli.top.base import Node, Reading
from radixa.core.errors import CallFailed
from radixa.viewer.lines import marks

PATIENCE_SECONDS = 15.0
"""A server that takes longer is asked again. Its engine answers between two steps, so a long one may take seconds."""
LEVELS = 12
MOST_NODES = 1_000
LEAST_TOKENS = 8
"""Of the tree the nodes near the root are looked at: no node has more hits than the one above it."""
_TIER_COUNTER = "radixa_engine_tier_cached_tokens_total"
_ROUTE_COUNTER = "radixa_requests_total"
_ANSWERS = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings")
"""Routes that ask a model: what is looked at here is itself asked for every second, and is no traffic."""


async def read(client: Client, *, tree: bool) -> Reading:
    """What the server says now; with `tree` also its nodes. CallFailed where it says nothing in time.

    What only a key may read, or a server without an engine does not have, is left out and said in the notes.
    """
    notes: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            metrics, reused = parse(await client.text("/metrics"))
            cache = await _or_note(client, notes, "/v1/cache")
            nodes = None
            if tree and cache is not None:
                asked = {"depth": LEVELS, "min_tokens": LEAST_TOKENS, "limit": MOST_NODES}
                nodes = await _or_note(client, notes, "/v1/cache/tree", **asked)
    except TimeoutError:
        raise CallFailed(f"{client.url} does not answer within {PATIENCE_SECONDS:g} s") from None
    return Reading(
        at=time.monotonic(),
        metrics=metrics,
        reused=reused,
        bytes_per_token=None if cache is None else cache["bytes_per_token"],
        model=None if cache is None else cache["model"],
        nodes=None if nodes is None else tuple(node(found) for found in nodes["data"]),
        more_nodes=nodes is not None and bool(nodes["has_more"]),
        notes=tuple(notes),
    )


async def _or_note(client: Client, notes: list[str], path: str, **query: int) -> Any:
    """What a GET answers, or None and why not, where the server refused it."""
    try:
        return await client.get(path, **query)
    except CallFailed as error:
        if error.answered is None:
            raise
        notes.append(error.message)
        return None


def parse(text: str) -> tuple[dict[str, float], dict[str, float]]:
    """Samples of Prometheus' text format by name, and the tokens reused by tier. CallFailed for any other text.

    Requests are those that ask a model.
    """
    found: defaultdict[str, float] = defaultdict(float)
    reused: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == _ROUTE_COUNTER and sample.labels["route"] not in _ANSWERS:
                    continue
                found[sample.name] += sample.value
                if sample.name == _TIER_COUNTER:
                    reused[sample.labels["tier"]] = sample.value
    except (ValueError, KeyError):
        raise CallFailed("/metrics is not in Prometheus' text format") from None
    if "radixa_requests_running" not in found:
        raise CallFailed("/metrics has no radixa_requests_running: expected a server that `radixa serve` started")
    # One of those that run is this very question.
    found["radixa_requests_running"] = max(0.0, found["radixa_requests_running"] - 1)
    found.setdefault(_ROUTE_COUNTER, 0.0)
    return dict(found), reused


def node(found: dict[str, Any]) -> Node:
    """One of `GET /v1/cache/tree`."""
    return Node(
        id=found["id"],
        tokens=found["tokens"],
        hits=found["hits"],
        last_use=found["last_use"],
        text=found["text"],
        owner=found["namespace"],
        marks=(*(["in use"] if found["locked"] else []), *marks(found)),
    )
