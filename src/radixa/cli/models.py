"""`radixa models`: what a server offers, or what there is on this machine."""

from __future__ import annotations

from typing import Any

from radixa.cli.common import ApiKey, Json, Url, console, print_json, printable


def models(
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """List models with their prices and limits.

    With --url, what that server offers. Without, the models known by a short name, whether they are fetched, and the
    catalogue that `radixa serve` starts with.

    Example: radixa models --url http://127.0.0.1:8000 --api-key rx-...
    """
    rows = _remote(url, api_key) if url else _local()
    if as_json:
        print_json(rows)
        return
    from rich.table import Table

    # Without a server nobody answers yet, and then a name is only its provider's.
    columns = ("model", "answered by" if url else "provider", "input", "cached", "output", "limits", "")
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        ours = row.get("radixa") or {}
        prices = ours.get("prices_usd_per_mtok") or {}
        money = [_price(prices.get(kind)) for kind in ("input", "cached_input", "output")]
        who = ours.get("served_by") or ours.get("provider") or ""
        table.add_row(printable(row["id"]), printable(who), *money, _limits(ours), printable(_note(ours)))
    console().print(table)
    console().print("Prices in dollars per million tokens.", style="dim")
    if not url:
        console().print(
            "This release calls no upstream provider: with `radixa serve --sandbox` the embedded engine answers under "
            "their models' names, without it they are not offered.",
            style="dim",
        )


def _remote(url: str, api_key: str | None) -> list[dict[str, Any]]:
    import asyncio

    from radixa.bench.client import connect

    async def fetch() -> list[dict[str, Any]]:
        async with connect(url, api_key) as client:
            found: list[dict[str, Any]] = (await client.get("/v1/models"))["data"]
            return found

    return asyncio.run(fetch())


def _local() -> list[dict[str, Any]]:
    """The same shape as a server's answer, from the files and the catalogue of this installation."""
    from datetime import UTC, datetime

    from radixa.core.config import load
    from radixa.core.money import usd_per_mtok
    from radixa.gateway.catalogue import dated_prices, entries_with, prices_on
    from radixa.models.catalog import PACKAGED
    from radixa.models.fetch import packaged_file

    rows: list[dict[str, Any]] = []
    for model in PACKAGED.values():
        fetched = packaged_file(model).is_file()
        rows.append(
            {"id": model.name, "radixa": {"provider": "radixa", "fetched": fetched, "prices_usd_per_mtok": _free()}}
        )
    today = datetime.now(UTC).date().isoformat()
    for entry in entries_with(load().config.models):
        prices = prices_on(today, dated_prices(entry))
        kinds = ("input", "cached_input", "cache_write", "output")
        shown = {kind: float(usd_per_mtok(getattr(prices, kind))) for kind in kinds} if prices else None
        rows.append(
            {
                "id": entry.id,
                "radixa": {
                    "provider": entry.provider,
                    "prices_usd_per_mtok": shown,
                    "limits": {"rpm": entry.rpm, "tpm": entry.tpm},
                    "shutdown_date": entry.shutdown_date,
                },
            }
        )
    return rows


def _free() -> dict[str, float]:
    return dict.fromkeys(("input", "cached_input", "cache_write", "output"), 0.0)


def _price(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _limits(ours: dict[str, Any]) -> str:
    limits = ours.get("limits") or {}
    parts = [f"{limits[kind]:,} {word}" for kind, word in (("rpm", "requests"), ("tpm", "tokens")) if limits.get(kind)]
    return f"{', '.join(parts)} a minute" if parts else ""


def _note(ours: dict[str, Any]) -> str:
    if "fetched" in ours:
        return "fetched" if ours["fetched"] else "radixa pull fetches it"
    if not ours.get("shutdown_date"):
        return ""
    from datetime import date

    day = date.fromisoformat(ours["shutdown_date"])
    return f"{'shut' if day <= date.today() else 'shuts'} down {day}"  # noqa: DTZ011 - the reader's own day
