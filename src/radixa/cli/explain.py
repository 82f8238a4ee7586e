"""`radixa explain`: how much of a prompt a server's cache holds, where the prompt leaves it, and why."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from radixa.cli.common import DEFAULT_URL, ApiKey, Json, Url, print_json, printable
from radixa.cli.misses import words

_BAR = 40
_WIDTH = 72
"""Characters that are shown of a text."""
_TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])|\s+")
"""About what a token is: the server tells texts, not where their tokens end."""


def explain(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            help="A request's body as JSON, or a text, which is sent as a user's message.",
        ),
    ],
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show where a prompt leaves the cache of a server, and why. Nothing is computed and nothing is kept.

    Example: radixa explain request.json --url http://127.0.0.1:8000
    """
    import asyncio

    found = asyncio.run(_ask(url or DEFAULT_URL, api_key, body_of(file)))
    if as_json:
        print_json(found)
    else:
        typer.echo(picture(found))


async def _ask(url: str, api_key: str | None, body: dict[str, Any]) -> dict[str, Any]:
    from radixa.bench.client import connect

    async with connect(url, api_key) as client:
        found: dict[str, Any] = await client.post("/v1/cache/explain", body)
        return found


def body_of(file: Path) -> dict[str, Any]:
    """The body that a file stands for. RadixaError where it is called .json and is none, or is no text."""
    from radixa.core.errors import RadixaError

    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RadixaError(f"{file} is not text in UTF-8 (byte {error.start})") from error
    try:
        found = json.loads(text)
    except ValueError as error:
        if file.suffix == ".json":
            raise RadixaError(f"{file} is not valid JSON: {error}") from error
        found = None
    if isinstance(found, dict):
        return found
    if isinstance(found, list) and file.suffix == ".json":
        return {"messages": found}
    # An editor ends a file with a newline that nobody meant to send.
    return {"messages": [{"role": "user", "content": text.removesuffix("\n")}]}


def picture(found: dict[str, Any]) -> str:
    """What the server answered, for a reader."""
    prompt, cached, miss = found["prompt_tokens"], found["cached_tokens"], found["miss"]
    filled = _BAR * cached // max(1, prompt)
    tiers = ", ".join(f"{count:,} {tier}" for tier, count in found["tiers"].items() if count)
    lines = [
        f"{cached:,} of {prompt:,} prompt tokens would hit ({100 * cached / max(1, prompt):.0f} %)"
        + (f": {tiers}" if tiers else ""),
        "█" * filled + "░" * (_BAR - filled),
    ]
    if miss is None:
        lines.append("All of it is there; a prompt's last token is always computed.")
    else:
        lines += _miss(miss)
    if found["volatile"] is not None:
        lines += _volatile(found["volatile"])
    return "\n".join(lines)


def _miss(miss: dict[str, Any]) -> list[str]:
    said = words(miss)
    where = f", in message {miss['message']}" if miss["message"] is not None else ""
    lines = [f"It leaves the cache at token {miss['at']:,}{where}: {said.meaning}."]
    if miss["yours"]:
        lines += ["", *_side_by_side(miss["yours"], miss["tree"])]
    return [*lines, "", said.advice] if said.advice else lines


def _side_by_side(yours: str, tree: list[str]) -> list[str]:
    """The texts from where they part, one below the other; the first token of each is what differs."""
    lines = [f"  yours   {_cut(yours)}"]
    if not tree:
        return lines
    marked = max(len(token[0]) for text in (yours, *tree) if (token := _TOKEN.match(text)))
    return [*lines, *(f"  cached  {_cut(text)}" for text in tree), f"          {'^' * marked}"]


def _volatile(volatile: dict[str, Any]) -> list[str]:
    seen, cost = volatile["seen"], volatile["cost_tokens"]
    return [
        "",
        "This line changes with every request, and what follows it does not:",
        f"  {_cut(volatile['text'])}",
        f"{seen:,} requests had something else there; it costs {cost:,} tokens each time.",
        "Move it to the end of the prompt, or leave it out.",
    ]


def _cut(text: str) -> str:
    """A text on one line, a control character as its sign."""
    return printable(text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…")
