"""`radixa usage`: what was used and what it cost, of a running server or straight from this installation's database."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from radixa.cli.common import ApiKey, Json, Url, ask, console, dollars, print_json, printable

By = Literal["request", "model", "key", "session", "day", "account"]
_KEYS = {
    "request": "request_id",
    "model": "model",
    "key": "key_id",
    "session": "session_id",
    "day": "day",
    "account": "account_id",
}
_COUNTS = {"prompt": "prompt_tokens", "cached": "cached_tokens", "written": "cache_write_tokens"}
_NONE = "(none)"


def usage(
    by: Annotated[By, typer.Option("--by", help="What a line is.")] = "model",
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Seconds since 1970, or a date or time such as 2026-11-24."),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="The first moment not wanted.")] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ACCOUNT", help="An account's name or id; '*' for all of them.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="Lines at most.")] = 100,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """What was used, what it cost and what reuse saved, newest first; amounts are exact.

    With --url of a server, by default of the caller's own account. Else from this installation's database
    (RADIXA_HOME), by default of all accounts.

    Example: radixa usage --by day --since 2026-11-01
    """
    given = {"since": since, "until": until, "limit": str(limit), "account": account}
    given["group_by"] = None if by == "request" else by
    wish = {name: value for name, value in given.items() if value is not None}
    if url:
        found = ask(url, api_key, "GET", "/v1/usage", wish)
    else:
        from radixa.cli import local_usage

        found = local_usage.report(wish)
    if as_json:
        print_json(found)
    else:
        _show(found, by)


def _show(found: dict[str, Any], by: By) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(by, no_wrap=True)
    numbers = ["requests", *_COUNTS, "completion", "cost $", "saved $"]
    if by == "request":
        numbers[0] = "status"
        table.add_column("time")
        table.add_column("model", no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    for entry in found["data"]:
        key = printable(str(entry[_KEYS[by]])) or _NONE
        told = [_second(entry["created"]), printable(entry["model"])] if by == "request" else []
        table.add_row(key, *told, *_numbers(entry, "status" if by == "request" else "requests"))
    table.add_row("total", *([""] * 2 if by == "request" else []), *_numbers(found["totals"], "requests"), style="bold")
    out = console()
    out.print(table)
    if found["totals"]["unknown_price_requests"]:
        out.print(f"{found['totals']['unknown_price_requests']:,} requests have an unknown price and are in no amount.")
    if found["has_more"]:
        out.print(f"There is more than these {len(found['data']):,}; ask with --until, or a larger --limit.")


def _numbers(entry: dict[str, Any], first: str) -> list[str]:
    counts = (f"{entry[name]:,}" for name in (*_COUNTS.values(), "completion_tokens"))
    return [f"{entry[first]:,}", *counts, dollars(entry["cost_nano_usd"]), dollars(entry["saved_nano_usd"])]


def _second(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
