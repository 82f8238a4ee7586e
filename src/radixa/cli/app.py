"""The `radixa` command: mounts one module per command, and turns every failure into one line and an exit code.

Nothing here or at the top of a command's module imports more than Typer, so that `radixa --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from radixa.cli import (
    accounts,
    bench,
    chat,
    config,
    demo,
    docs,
    explain,
    keys,
    models,
    pull,
    replay,
    serve,
    top,
    tree,
    usage,
)
from radixa.cli.common import printable
from radixa.core.errors import RadixaError

app = typer.Typer(
    name="radixa",
    help="An LLM gateway and inference engine that computes a prompt prefix once, and bills what is reused as reused.",
    epilog="Start with: radixa serve --sandbox",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("chat")(chat.chat)
app.command("demo")(demo.demo)
app.add_typer(bench.app, name="bench")
app.command("replay")(replay.replay)
app.command("tree")(tree.tree)
app.command("top")(top.top)
app.command("explain")(explain.explain)
app.command("pull")(pull.pull)
app.command("models")(models.models)
app.add_typer(keys.app, name="keys")
app.add_typer(accounts.app, name="accounts")
app.command("usage")(usage.usage)
app.add_typer(docs.app, name="docs")
app.add_typer(config.app, name="config")


def _version(wanted: bool) -> None:
    if wanted:
        from radixa import __version__

        typer.echo(f"radixa {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and exit.")
    ] = False,
) -> None:
    """Options of `radixa` itself."""


def main() -> None:
    """Run the command line. Exit codes: 0 success, 1 failure with one line on stderr, 2 wrong use, 130 on Ctrl-C."""
    try:
        app(prog_name="radixa")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone; writing the rest of it at exit would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("RADIXA_DEBUG"):
            raise
        sys.exit(f"radixa: {printable(describe(error))}")


def describe(error: Exception) -> str:
    """One line about a failure: ours in its own words, the system's with the file, a bug with its type."""
    if isinstance(error, RadixaError):
        return " ".join(error.message.split())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}{_whose(error.filename)}" if error.filename else error.strerror
    text = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {text} (set RADIXA_DEBUG=1 to see where)"


def _whose(file: object) -> str:
    """What to change where `file` is of our own folders, or would be above them."""
    from radixa.core.paths import paths

    folders = paths()
    place = Path(os.path.abspath(os.fsdecode(file))) if isinstance(file, (str, bytes)) else None
    for variable, folder in (("RADIXA_MODELS", folders.models), ("RADIXA_HOME", folders.data)):
        ours = folder.absolute()
        if place and os.environ.get(variable) and (place.is_relative_to(ours) or ours.is_relative_to(place)):
            return f" ({variable} = {folder}: expected a folder that can be made, read and written)"
    return ""
