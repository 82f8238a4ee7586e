"""What the commands share: options, output, progress."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from radixa.core.addresses import DEFAULT_URL as DEFAULT_URL
from radixa.core.printing import UNSAFE
from radixa.core.printing import age as age
from radixa.core.printing import printable as printable

if TYPE_CHECKING:
    from rich.console import Console

    from radixa.core.progress import Progress

Url = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="RADIXA_BASE_URL", metavar="URL", help="An OpenAI-compatible server, with or without /v1."
    ),
]
ApiKey = Annotated[
    str | None, typer.Option("--api-key", envvar="RADIXA_API_KEY", metavar="KEY", help="The key to send it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def console(*, stderr: bool = False) -> Console:
    """Rich's console; progress and remarks go to stderr, so that stdout holds the result alone."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    # A file or a pipe has no width; what is read by a program should not be cut to that of a screen. Nothing of ours is
    # written in Rich's markup, so a name such as [/x] or :key: is only a name.
    width = None if stream.isatty() else 200
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


def to_json(value: Any) -> str:
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False)
    return UNSAFE.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def print_json(value: Any) -> None:
    typer.echo(to_json(value))


def ask(url: str, api_key: str | None, method: str, path: str, values: dict[str, Any]) -> Any:
    """A server's answer to one request."""
    import asyncio

    from radixa.bench.client import connect

    async def call() -> Any:
        async with connect(url, api_key) as client:
            if method == "POST":
                return await client.post(path, values)
            return await (client.get if method == "GET" else client.delete)(path, **values)

    return asyncio.run(call())


def dollars(nano: int | None) -> str:
    """Nano-dollars as exact dollars; None is a price that is not known."""
    from radixa.core.money import usd

    return "unknown" if nano is None else usd(nano)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """A bar per kind of work, drawn on stderr while the work runs; `progress(what, done, total)` moves it.

    A total of 0 is a wait of unknown length. Where stderr is no terminal, each kind of work is one line when it begins.
    """
    if not sys.stderr.isatty():
        seen: set[str] = set()

        def say(what: str, done: int, total: int) -> None:
            if what not in seen:
                seen.add(what)
                typer.echo(f"{what} …", err=True)

        yield say
        return

    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"), TimeElapsedColumn())
    with Bars(*columns, console=console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def move(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=None, state="")
            bars.update(tasks[what], completed=done, total=total or None, state=_state(done, total))

        yield move


def _state(done: int, total: int) -> str:
    """How far: a count, or megabytes where the numbers are those of a file."""
    if not total:
        return ""
    if total >= 1_000_000:
        return f"{done / 1e6:.0f}/{total / 1e6:.0f} MB"
    return f"{done}/{total}"
