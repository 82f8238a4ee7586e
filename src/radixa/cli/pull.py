"""`radixa pull`."""

from __future__ import annotations

from typing import Annotated

import typer

from radixa.cli.common import Json, print_json, progress_bars


def pull(
    model: Annotated[
        str, typer.Argument(help="smollm2, hf:ORG/NAME, a GGUF file or a Hugging Face folder.")
    ] = "smollm2",
    as_json: Json = False,
) -> None:
    """Fetch a model and make it ready to serve; quick where that was done before.

    Example: radixa pull smollm2
    """
    from radixa.core.loading import load
    from radixa.models.prepare import check_name, prepare
    from radixa.models.probe import choose_dtype

    engine = load().config.engine
    check_name(model)
    with progress_bars() as progress:
        if engine.dtype == "auto":
            progress("finding the faster dtype", 0, 0)
        dtype = choose_dtype() if engine.dtype == "auto" else engine.dtype
        folder = prepare(model, dtype=dtype, progress=progress)
    if as_json:
        print_json(
            {
                "name": folder.name,
                "path": str(folder.path),
                "family": folder.config.family,
                "context": folder.config.context_length,
            }
        )
        return
    typer.echo(f"{folder.name} is ready in {folder.path}")
