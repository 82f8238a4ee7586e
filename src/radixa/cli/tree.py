"""`radixa tree`: what the cache of a running server holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radixa.cli.common import DEFAULT_URL, ApiKey, Json, Url, print_json

if TYPE_CHECKING:
    from radixa.viewer.facts import Facts

PAGE = 5_000
"""Nodes that are asked for at a time."""
MOST_NODES = 1_000_000


def tree(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write one self-contained HTML page.")
    ] = None,
    min_tokens: Annotated[int, typer.Option("--min-tokens", min=1, help="Leave out shorter branches.")] = 1,
    depth: Annotated[int | None, typer.Option("--depth", min=1, help="Levels below the root; default: all.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MOST_NODES, help="Nodes that are shown at most.")
    ] = 10_000,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show the radix tree of a server: every node's tokens, as a bar too, its hits, ages and text.

    Example: radixa tree --url http://127.0.0.1:8000 --out radix_cache.html
    """
    import asyncio

    address = url or DEFAULT_URL
    found = asyncio.run(fetch(address, api_key, min_tokens, depth=depth, limit=limit))
    if out is not None:
        from radixa.viewer.page import page

        out.write_text(page(found["data"], address, asyncio.run(facts_of(address, api_key))), "utf-8")
        typer.echo(f"wrote {out}")
    elif as_json:
        print_json(found)
    else:
        from radixa.cli.tree_text import show

        show(found["data"], address)
    if found["has_more"]:
        typer.echo(f"There is more: these are the first {limit:,} nodes (--limit, --depth, --min-tokens).", err=True)


async def fetch(
    url: str, api_key: str | None, min_tokens: int = 1, *, depth: int | None = None, limit: int = 10_000
) -> dict[str, Any]:
    """What `GET /v1/cache/tree` answers, of all its pages together until `limit` nodes are there."""
    from radixa.bench.client import connect

    asked = {"min_tokens": min_tokens} | ({} if depth is None else {"depth": depth})
    nodes: list[dict[str, Any]] = []
    async with connect(url, api_key) as client:
        while True:
            found: dict[str, Any] = await client.get("/v1/cache/tree", limit=min(PAGE, limit - len(nodes)), **asked)
            nodes += found["data"]
            if not found["has_more"] or len(nodes) >= limit:
                return found | {"data": nodes}
            asked["after"] = found["next"]


async def facts_of(url: str, api_key: str | None) -> Facts:
    """What `url` says beside the nodes: the size of a token, the pool's, and what a hit saves."""
    from radixa.bench.client import connect
    from radixa.viewer.facts import facts

    async with connect(url, api_key) as client:
        cache: dict[str, Any] = await client.get("/v1/cache")
        models: dict[str, Any] = await client.get("/v1/models")
    return facts(cache["bytes_per_token"], cache["tiers"]["device"]["capacity"], models["data"])
