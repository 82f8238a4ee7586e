"""`radixa config show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radixa.cli.common import Json, console, print_json, printable

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """The configuration: what holds, and where it came from.

    Example: radixa config show
    """


@app.command("show")
def show(
    file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Default: radixa.toml of this folder, if there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print every value, and where it came from: default, file or environment variable.

    Example: RADIXA_ENGINE_DTYPE=float32 radixa config show
    """
    from radixa.core.loading import load
    from radixa.core.paths import paths

    loaded = load(file)
    folders = paths()
    places = {"data": folders.data, "models": folders.models, "cache": folders.cache}
    if as_json:
        values = {name: {"value": value, "from": origin} for name, value, origin in loaded.rows()}
        print_json({"values": values, "folders": {name: str(path) for name, path in places.items()}})
        return
    from rich.table import Table

    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for name, value, origin in loaded.rows():
        shown = "" if value == "" else str(value).lower() if isinstance(value, bool) else str(value)
        table.add_row(name, printable(shown), printable(origin), style="" if origin == "default" else "bold")
    for name, path in places.items():
        table.add_row(f"{name} folder", printable(str(path)), "RADIXA_HOME, RADIXA_MODELS or the user's folders")
    console().print(table)
