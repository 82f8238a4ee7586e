"""What the commands share: options, output, progress."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from radixa.core.progress import Progress

DEFAULT_URL = "http://127.0.0.1:8000"

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


_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal obeys instead of showing it, what turns the direction of the rest of a line, and halves of
characters, which no output can hold."""


def printable(text: str, keep: str = "") -> str:
    """A text of somebody else's, made safe to print: a sign such as ␛ for each control character but those in `keep`.

    Whatever others may have named, written or answered (names of keys, prompts, a server's errors) goes through this.
    """
    return _UNSAFE.sub(lambda found: found[0] if found[0] in keep else _sign(ord(found[0])), text)


def _sign(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def to_json(value: Any) -> str:
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def print_json(value: Any) -> None:
    typer.echo(to_json(value))


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


def age(seconds: float) -> str:
    """How long ago something was, to a reader."""
    if seconds < 60:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 3600 else f"{seconds / 3600:.1f} h ago"


def _state(done: int, total: int) -> str:
    """How far: a count, or megabytes where the numbers are those of a file."""
    if not total:
        return ""
    if total >= 1_000_000:
        return f"{done / 1e6:.0f}/{total / 1e6:.0f} MB"
    return f"{done}/{total}"
