"""`radixa models`: what a server offers, or what there is on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from radixa.cli.common import ApiKey, Json, Url, ask, console, dollars, print_json, printable

if TYPE_CHECKING:
    from radixa.cli.monthly import Month

_KINDS = ("input", "cached_input", "cache_write", "output")
Share = Annotated[
    float,
    typer.Option("--output-share", min=0, max=1, help="With --monthly: how much of the tokens are answers, 0 to 1."),
]
HitRate = Annotated[
    float,
    typer.Option("--hit-rate", min=0, max=1, help="With --monthly: how much of the prompts is cached, 0 to 1."),
]


def models(
    monthly: Annotated[
        str | None, typer.Option("--monthly", metavar="TOKENS", help="What so many tokens cost on each, such as 10M.")
    ] = None,
    hit_rate: HitRate = 0.8,
    output_share: Share = 0.2,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """List models with their prices and limits.

    With --url, what that server offers. Without, the models known by a short name, whether they are fetched, and the
    catalogue that `radixa serve` starts with.

    Example: radixa models --monthly 10M --hit-rate 0.8
    """
    wanted = None if monthly is None else _month(monthly, output_share, hit_rate)
    rows = ask(url, api_key, "GET", "/v1/models", {})["data"] if url else _local()
    if wanted is not None:
        from radixa.cli.monthly import costs

        rows = [row | {"monthly": costs(wanted, _prices(row), row["id"])} for row in rows]
    if as_json:
        print_json(rows)
    elif wanted is None:
        _list(rows, remote=url is not None)
    else:
        _list_costs(rows, wanted, hit_rate)


def _month(text: str, output_share: float, hit_rate: float) -> Month:
    from radixa.cli.monthly import amount, month

    try:
        return month(amount(text), output_share, hit_rate)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--monthly") from None


def _list(rows: list[dict[str, Any]], *, remote: bool) -> None:
    from rich.table import Table

    # Without a server nobody answers yet, and then a name is only its provider's.
    columns = ("model", "answered by" if remote else "provider", "input", "cached", "output", "limits", "")
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        ours = row.get("radixa") or {}
        prices = _prices(row) or {}
        money = [_price(prices.get(kind)) for kind in ("input", "cached_input", "output")]
        who = ours.get("served_by") or ours.get("provider") or ""
        table.add_row(printable(row["id"]), printable(who), *money, _limits(ours), printable(_note(ours)))
    console().print(table)
    console().print("Prices in dollars per million tokens.", style="dim")
    if not remote:
        console().print(
            "`radixa serve` offers a model where its provider has a key. With --sandbox the embedded engine answers "
            "under the names of all upstreams.",
            style="dim",
        )


def _list_costs(rows: list[dict[str, Any]], wanted: Month, hit_rate: float) -> None:
    from rich.table import Table

    table = Table("model", "nothing cached", f"{hit_rate:g} cached", "saved", box=None, pad_edge=False)
    for row in rows:
        costs = row["monthly"]
        kinds = ("uncached_nano_usd", "cost_nano_usd", "saved_nano_usd")
        table.add_row(printable(row["id"]), *(dollars(costs[kind]) for kind in kinds))
    console().print(table)
    console().print(
        f"Dollars for {wanted.tokens:,} tokens a month: {wanted.prompt_tokens:,} of prompts, of which "
        f"{wanted.cached_tokens:,} are cached where so it says, and {wanted.completion_tokens:,} of answers "
        "(--output-share). What a cache newly keeps is counted as plain input.",
        style="dim",
    )


def _local() -> list[dict[str, Any]]:
    """The same shape as a server's answer, from the files and the catalogue of this installation."""
    import os
    from datetime import UTC, datetime

    from radixa.core.loading import load
    from radixa.core.money import usd_per_mtok
    from radixa.gateway.catalogue import EMBEDDED, dated_prices, entries_with, prices_on
    from radixa.models.catalog import PACKAGED
    from radixa.models.fetch import packaged_file
    from radixa.providers.registry import KNOWN, OURS
    from radixa.providers.upstream.keys import VARIABLES, api_key, where
    from radixa.providers.wordllama.base import INSTALL, PROVIDER
    from radixa.providers.wordllama.files import files

    config = load().config
    providers = {**KNOWN, **config.providers}
    rows: list[dict[str, Any]] = []
    for model in PACKAGED.values():
        fetched = packaged_file(model).is_file()
        free = dict.fromkeys(_KINDS, 0.0)
        rows.append(
            {"id": model.name, "radixa": {"provider": EMBEDDED, "fetched": fetched, "prices_usd_per_mtok": free}}
        )
    today = datetime.now(UTC).date().isoformat()
    for entry in entries_with(config.models):
        prices = prices_on(today, dated_prices(entry))
        shown = {kind: float(usd_per_mtok(getattr(prices, kind))) for kind in _KINDS} if prices else None
        ours: dict[str, Any] = {
            "provider": entry.provider,
            "prices_usd_per_mtok": shown,
            "limits": {"rpm": entry.rpm, "tpm": entry.tpm},
            "shutdown_date": entry.shutdown_date,
            "retires": entry.retires,
            "successor": entry.successor,
        }
        provider = providers.get(entry.provider)
        if entry.provider == PROVIDER and files() is None:
            ours["missing"] = f"no package: {INSTALL}"
        elif provider is None and entry.provider not in OURS:
            ours["missing"] = f"no [providers.{entry.provider}]"
        elif (
            provider is not None
            and provider.kind in VARIABLES
            and api_key(entry.provider, provider, os.environ) is None
        ):
            ours["missing"] = f"no key: set {where(entry.provider, provider)}"
        rows.append({"id": entry.id, "radixa": ours})
    return rows


def _prices(row: dict[str, Any]) -> dict[str, float] | None:
    found = (row.get("radixa") or {}).get("prices_usd_per_mtok")
    return None if found is None else {kind: found[kind] for kind in _KINDS}


def _price(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _limits(ours: dict[str, Any]) -> str:
    limits = ours.get("limits") or {}
    parts = [f"{limits[kind]:,} {word}" for kind, word in (("rpm", "requests"), ("tpm", "tokens")) if limits.get(kind)]
    return f"{', '.join(parts)} a minute" if parts else ""


def _note(ours: dict[str, Any]) -> str:
    if "fetched" in ours:
        return "fetched" if ours["fetched"] else "radixa pull fetches it"
    notes = [ours["missing"]] if "missing" in ours else []
    if ours.get("shutdown_date"):
        notes.append(f"{'shut' if _past(ours['shutdown_date']) else 'shuts'} down {ours['shutdown_date']}")
    if ours.get("retires"):
        instead = f", then {ours['successor']}" if ours.get("successor") else ""
        notes.append(f"{'ended' if _past(ours['retires']) else 'ends'} {ours['retires']}{instead}")
    return ", ".join(notes)


def _past(day: str) -> bool:
    from datetime import date

    # The reader's own day.
    return date.fromisoformat(day) <= date.today()  # noqa: DTZ011
