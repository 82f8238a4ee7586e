"""`radixa top`: a running server on a screen that refreshes itself."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from radixa.cli.common import DEFAULT_URL, ApiKey, Json, Url, print_json


def top(
    every: Annotated[
        float, typer.Option("--every", min=0.2, max=60, metavar="SECONDS", help="Between two looks at the server.")
    ] = 1.0,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Watch a server: requests, hit rate, tokens a second, KV by tier, the hottest prefixes.

    Figures of the whole server need no key; the tree needs one, and shows the text of its own account. With --json,
    two looks --every seconds apart, then one document. Keys: s sorts, p pauses, q quits.

    Example: radixa top --url http://127.0.0.1:8000 --api-key rx-...
    """
    address = url or DEFAULT_URL
    if as_json:
        import asyncio

        print_json(asyncio.run(_once(address, api_key, every)))
        return
    if not sys.stdout.isatty():
        raise typer.BadParameter("needs a terminal; without one, --json prints the figures once")
    from radixa.cli.top.screen import Top

    Top(address, api_key, every).run()


async def _once(url: str, api_key: str | None, every: float) -> dict[str, Any]:
    import asyncio
    from dataclasses import asdict

    from radixa.bench.client import connect
    from radixa.cli.top.figures import History
    from radixa.cli.top.panels import ORDERS
    from radixa.cli.top.source import read

    history = History()
    async with connect(url, api_key) as client:
        history.add(await read(client, tree=False))
        await asyncio.sleep(every)
        reading = await read(client, tree=True)
    history.add(reading)
    hottest = sorted(reading.nodes or (), key=ORDERS["hits"])
    return asdict(history.figures()) | {"hottest": [asdict(node) for node in hottest[:20]], "notes": reading.notes}
