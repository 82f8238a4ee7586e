"""`radixa tree`: what the cache of a running server holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from radixa.cli.common import DEFAULT_URL, ApiKey, Json, Url, age, console, print_json

MOST_NODES = 10_000
"""As many as a server gives."""


def tree(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write one self-contained HTML page.")
    ] = None,
    min_tokens: Annotated[int, typer.Option("--min-tokens", min=1, help="Leave out shorter branches.")] = 1,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show the radix tree of a server: every node's tokens, hits, age and text.

    Example: radixa tree --url http://127.0.0.1:8000 --out radix_cache.html
    """
    import asyncio

    address = url or DEFAULT_URL
    found = asyncio.run(fetch(address, api_key, min_tokens))
    if out is not None:
        from radixa.cli.tree_page import page

        out.write_text(page(found["data"], address), "utf-8")
        typer.echo(f"wrote {out}")
    elif as_json:
        print_json(found)
    else:
        show(found["data"], address)


async def fetch(url: str, api_key: str | None, min_tokens: int = 1) -> dict[str, Any]:
    """What `GET /v1/cache/tree` answers."""
    from radixa.bench.client import connect

    async with connect(url, api_key) as client:
        found: dict[str, Any] = await client.get("/v1/cache/tree", min_tokens=min_tokens, limit=MOST_NODES)
        return found


def show(nodes: list[dict[str, Any]], address: str) -> None:
    """Print the nodes as an indented tree."""
    from rich.text import Text
    from rich.tree import Tree

    total = sum(node["tokens"] for node in nodes)
    top = Tree(f"{address}: {len(nodes)} nodes, {total:,} tokens")
    branches = {0: top}
    for node in nodes:
        label = Text(f"{node['tokens']} tokens, {node['hits']} hits, {age(node['last_use'])}")
        label.append("  " + excerpt(node["text"]), style="dim")
        parent = branches.get(node["parent"], top)
        branches[node["id"]] = parent.add(label)
    console().print(top)


def excerpt(text: str | None, length: int = 60) -> str:
    """The beginning and the end of a text on one line; nothing where the caller may not see it."""
    line = " ".join((text or "").split())
    return line if len(line) <= length else f"{line[: length * 2 // 3]} … {line[-length // 3 :]}"
