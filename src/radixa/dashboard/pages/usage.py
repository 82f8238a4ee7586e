"""`/dashboard/usage`: what was used, cost and saved, by model, key, account, day or session; limits and credits."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

from radixa.core.money import usd
from radixa.dashboard.base import Page, Visit
from radixa.dashboard.pages.plots import columns
from radixa.dashboard.pages.usage_table import COLUMNS, Asked, Row, ordered, rows_of
from radixa.gateway.base import Response
from radixa.gateway.ledger.report import EVERYONE, MOST
from radixa.gateway.routes import accounts, keys, rate_limits, usage
from radixa.gateway.routes import credits as credit_routes

PATH = "/dashboard/usage"
SHOWN = 200
"""Rows on the page; the export has as many as `/v1/usage` gives."""
_CSV = b"text/csv; charset=utf-8"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet compute a cell's text."""


async def show(visit: Visit) -> Response:
    asked = Asked.of(visit)
    # Each in a thread of its own, so that they take no longer than the slower of them.
    groups = [asked.by] if asked.by == "day" else [asked.by, "day"]
    found, *others = await asyncio.gather(*(_report(visit, asked, by) for by in groups))
    table = await _table(visit, asked, found)
    days = sorted((others or [found])[0]["data"], key=lambda day: day["day"])
    whose = {} if asked.account in (None, EVERYONE) else {"account": asked.account}
    return visit.render(
        "usage.html",
        asked=asked,
        columns=COLUMNS,
        rows=table["rows"][:SHOWN],
        total=table["total"],
        more=table["more"] or len(table["rows"]) > SHOWN,
        plots=columns(visit, days) if len(days) > 1 else None,
        accounts=await _accounts(visit),
        limits=(await visit.ask(rate_limits.show))["data"],
        credits=await visit.ask(credit_routes.show, query=whose),
    )


async def as_csv(visit: Visit) -> Response:
    """The table, all of its rows, in exact dollars."""
    asked = Asked.of(visit)
    table = await _table(visit, asked, await _report(visit, asked, asked.by))
    out = io.StringIO()
    # Texts in quotes: a spreadsheet that parts cells at another sign would begin one in the middle of a name.
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([asked.by, *(column.name.replace("_nano_usd", "_usd") for column in COLUMNS)])
    for row in table["rows"]:
        name = row.label if not row.label.startswith(_FORMULA) else "'" + row.label
        writer.writerow([name, *(_cell(row, column.name, money=column.money) for column in COLUMNS)])
    named = f'attachment; filename="radixa-usage-by-{asked.by}.csv"'.encode()
    return Response(out.getvalue().encode(), 200, _CSV, ((b"content-disposition", named),))


def _cell(row: Row, name: str, *, money: bool) -> Any:
    value = row.values[name]
    if value is None:
        return ""
    return usd(value) if money else value


async def _table(visit: Visit, asked: Asked, found: dict[str, Any]) -> dict[str, Any]:
    names = await _names(visit, asked.by)
    return {
        "rows": ordered(rows_of(found["data"], asked.by, names), asked),
        "total": Row.of("", found["totals"]),
        "more": found["has_more"],
    }


async def _report(visit: Visit, asked: Asked, by: str) -> dict[str, Any]:
    query = {"group_by": by, "limit": str(MOST)}
    if asked.since is not None:
        query["since"] = str(asked.since)
    if asked.account is not None:
        query["account"] = asked.account
    found: dict[str, Any] = await visit.ask(usage.index, query=query)
    return found


async def _names(visit: Visit, by: str) -> dict[str, str]:
    """What the visitor calls the ids of keys and accounts."""
    if by == "key":
        return {key["id"]: key["name"] for key in (await visit.ask(keys.index))["data"]}
    if by == "account":
        return {account["id"]: account["name"] for account in await _accounts(visit)}
    return {}


async def _accounts(visit: Visit) -> list[dict[str, Any]]:
    """All of them for an administrator, none for anybody else."""
    return list((await visit.ask(accounts.index))["data"]) if visit.known.admin else []


PAGES = (Page(PATH, show, menu="menu.usage"), Page(PATH + ".csv", as_csv))
