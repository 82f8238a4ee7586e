"""`radixa keys`: API keys, of a running server or straight in the database of this installation."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from radixa.cli.common import ApiKey, Json, Url, ask, console, print_json, printable

app = typer.Typer(no_args_is_help=True)

_WIDE = 140
"""Columns of a terminal from which on there is room for the accounts' ids too."""
AccountName = Annotated[str | None, typer.Option("--account", metavar="ACCOUNT", help="An account's name or id.")]


@app.callback()
def group() -> None:
    """API keys. With --url those of a server, else those in this installation's database (RADIXA_HOME).

    Example: radixa keys create laptop
    """


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is for, to tell keys apart.")] = "key",
    account: AccountName = None,
    admin: Annotated[bool, typer.Option("--admin", help="An administrator's key.")] = False,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="WHEN", help="A day (2027-01-31, UTC), or in how long: 12h, 30d.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", metavar="MODEL", help="The only model it may use; repeat for more.")
    ] = None,
    budget_day: Annotated[float | None, typer.Option("--budget-day", min=0, help="Dollars a day (UTC).")] = None,
    budget_month: Annotated[float | None, typer.Option("--budget-month", min=0, help="Dollars a month (UTC).")] = None,
    budget: Annotated[float | None, typer.Option("--budget", min=0, help="Dollars in all.")] = None,
    rpm: Annotated[int | None, typer.Option("--rpm", min=0, help="Requests a minute.")] = None,
    tpm: Annotated[int | None, typer.Option("--tpm", min=0, help="Tokens a minute.")] = None,
    concurrency: Annotated[int | None, typer.Option("--concurrency", min=0, help="Requests at once.")] = None,
    force_include_usage: Annotated[
        bool, typer.Option("--force-include-usage", help="Every stream ends with its usage, asked or not.")
    ] = False,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Make a key and print it, this once; only its hash is kept.

    An account that does not exist yet is made. Without --account the key is of the caller's own account, or of the
    first one in the database. The first key of all is an administrator's.

    Example: radixa keys create laptop --account research --expires 90d --budget-month 20
    """
    given = {
        "expires": None if expires is None else moment(expires),
        "models": model or None,
        "budget_day_usd": budget_day,
        "budget_month_usd": budget_month,
        "budget_usd": budget,
        "rpm": rpm,
        "tpm": tpm,
        "concurrency": concurrency,
        "force_include_usage": force_include_usage or None,
    }
    terms = {name: value for name, value in given.items() if value is not None}
    if url:
        wanted = {"name": name, "admin": admin} | ({"account": account} if account else {}) | terms
        made = ask(url, api_key, "POST", "/v1/keys", wanted)
    else:
        from radixa.cli import local_keys

        made = local_keys.create(name, account, admin, terms)
    if made["admin"] and not admin:
        typer.echo("There was no administrator's key yet, so this is one.", err=True)
    if as_json:
        print_json(made)
    else:
        typer.echo(printable(made["key"]))


@app.command("list")
def list_keys(account: AccountName = None, as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """List the keys: never their secrets, which nobody has.

    Example: radixa keys list --json
    """
    if url:
        found = ask(url, api_key, "GET", "/v1/keys", {"account": account} if account else {})["data"]
    else:
        from radixa.cli import local_keys

        found = local_keys.index(account)
    if as_json:
        print_json(found)
        return
    from rich.table import Column, Table

    screen = console()
    names = ["id", "name", "key", "account", "created", "state"]
    if screen.width >= _WIDE:
        names.insert(4, "account id")
    table = Table(*(Column(name, no_wrap=name.endswith("id")) for name in names), box=None, pad_edge=False)
    for key in found:
        cells = {
            "id": key["id"],
            "name": key["name"],
            "key": f"…{key['hint']}",
            "account": key.get("account") or "",
            "account id": key["account_id"],
            "created": _minute(key["created"]),
            "state": _state(key),
        }
        table.add_row(*(printable(cells[name]) for name in names))
    screen.print(table)


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `radixa keys list` prints it.")],
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Revoke a key: a server refuses it at once, or within two seconds where the database was changed beside it.

    Example: radixa keys revoke key_0123456789abcdef
    """
    if url:
        key = ask(url, api_key, "DELETE", f"/v1/keys/{key_id}", {})
    else:
        from radixa.cli import local_keys

        key, left = local_keys.revoke(key_id)
        if not left:
            typer.echo(
                "No administrator's key works any more: the next `radixa serve` or `radixa keys create` makes one.",
                err=True,
            )
    if as_json:
        print_json(key)
    else:
        typer.echo(f"{printable(key['id'])} is revoked")


def moment(text: str) -> int:
    """A day, or a length of time from now, as Unix seconds. BadParameter for anything else."""
    import re
    import time
    from datetime import UTC, datetime

    if found := re.fullmatch(r"(\d{1,6})([hd])", text, re.ASCII):
        return int(time.time()) + int(found[1]) * (3600 if found[2] == "h" else 86_400)
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise typer.BadParameter(
            f"'{printable(text)}': expected a day such as 2027-01-31, or 12h, or 30d", param_hint="'--expires'"
        ) from None


def _state(key: dict[str, Any]) -> str:
    import time

    if key["revoked"]:
        return "revoked"
    # A server of an earlier release says nothing of an expiry.
    if key.get("expires") is not None and key["expires"] <= time.time():
        return "expired"
    return "administrator" if key["admin"] else "active"


def _minute(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
