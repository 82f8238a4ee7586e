"""`radixa accounts`: who is billed, of a running server or straight in the database of this installation."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from radixa.cli.common import ApiKey, Json, Url, ask, console, print_json, printable

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Accounts. With --url those of a server, else those in this installation's database (RADIXA_HOME).

    Example: radixa accounts create research
    """


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is called; ids begin with acct_, names do not.")],
    rpm: Annotated[int | None, typer.Option("--rpm", min=0, help="Requests a minute.")] = None,
    tpm: Annotated[int | None, typer.Option("--tpm", min=0, help="Tokens a minute.")] = None,
    concurrency: Annotated[int | None, typer.Option("--concurrency", min=0, help="Requests at once.")] = None,
    credit_limit: Annotated[
        float | None, typer.Option("--credit-limit", min=0, help="Dollars it may spend beyond its credits (0).")
    ] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Its credits do not limit what it spends.")] = False,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Open an account, with the free credits of the configuration.

    Example: radixa accounts create research --tpm 100000
    """
    if unlimited and credit_limit is not None:
        raise typer.BadParameter("expected --unlimited or --credit-limit, not both")
    given = {"rpm": rpm, "tpm": tpm, "concurrency": concurrency, "credit_limit_usd": credit_limit}
    limits: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if unlimited:
        limits["credit_limit_usd"] = None
    if url:
        made = ask(url, api_key, "POST", "/v1/accounts", {"name": name} | limits)
    else:
        from radixa.cli import local_keys

        made = local_keys.open_account(name, limits)
    if as_json:
        print_json(made)
    else:
        typer.echo(printable(made["id"]))


@app.command("list")
def list_accounts(as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """List the accounts, with their credits and limits.

    Example: radixa accounts list --json
    """
    if url:
        found = ask(url, api_key, "GET", "/v1/accounts", {})["data"]
    else:
        from radixa.cli import local_keys

        found = local_keys.accounts()
    if as_json:
        print_json(found)
        return
    from rich.table import Column, Table

    names = ("id", "name", "credits $", "limit $", "requests/min", "tokens/min", "at once")
    table = Table(*(Column(name, no_wrap=name == "id") for name in names), box=None, pad_edge=False)
    for account in found:
        limits = (_shown(account[name]) for name in ("rpm", "tpm", "concurrency"))
        credit_limit = account["credit_limit_usd"]
        table.add_row(
            printable(account["id"]),
            printable(account["name"]),
            f"{account['granted_usd']:g}",
            "none" if credit_limit is None else f"{credit_limit:g}",
            *limits,
        )
    console().print(table)


@app.command("credit", context_settings={"ignore_unknown_options": True})
def credit(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="An account's name or id.")],
    amount: Annotated[float, typer.Argument(metavar="AMOUNT", help="Dollars; less than 0 takes back.")],
    once: Annotated[
        str | None, typer.Option("--once", metavar="KEY", help="Such as an invoice's number: the same adds once.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Add credit to an account.

    Example: radixa accounts credit research 25 --once invoice-2027-001
    """
    if url:
        from urllib.parse import quote

        wanted = {"amount_usd": amount, "kind": "top_up" if amount >= 0 else "correction"}
        if once:
            wanted["idempotency_key"] = once
        path = f"/v1/accounts/{quote(account, safe='')}/credits"
        made = ask(url, api_key, "POST", path, wanted)
    else:
        from radixa.cli import local_keys

        made = local_keys.credit(account, amount, once)
    if as_json:
        print_json(made)
    else:
        done = "added" if made["added"] else "was added before"
        typer.echo(f"{made['amount_usd']:g} $ {done} ({printable(made['id'])})")


def _shown(limit: int | None) -> str:
    return "-" if limit is None else str(limit)
