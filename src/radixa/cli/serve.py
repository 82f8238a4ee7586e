"""`radixa serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from radixa.cli.common import console, printable, progress_bars


def serve(
    model: Annotated[
        str | None,
        typer.Argument(help="smollm2 (the default), hf:ORG/NAME, a GGUF file or a Hugging Face folder."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Default: radixa.toml of this folder, if there.")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="The address to listen on; default 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Default 8000; 0 takes a free one.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu (the default), cuda, or auto: a GPU where there is one.")
    ] = None,
    sandbox: Annotated[
        bool,
        typer.Option("--sandbox", help="Answer for the whole catalogue with the embedded engine; no upstream key."),
    ] = False,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Ask for no API key; on the loopback only.")] = False,
) -> None:
    """Serve a model over an OpenAI-compatible API, with prefix reuse. Fetches the model where it is missing.

    Prints the address and, on the first start, a new API key. Ctrl-C stops it.

    Example: radixa serve --sandbox
    """
    from radixa.core.loading import load
    from radixa.dashboard.mount import dashboard
    from radixa.gateway.serve import Events
    from radixa.gateway.serve import serve as run

    given = {
        "engine.model": model,
        "engine.device": device,
        "server.host": host,
        "server.port": port,
        "server.sandbox": True if sandbox else None,
        "server.auth": False if no_auth else None,
    }
    config = load(file, {name: value for name, value in given.items() if value is not None}).config
    screen = console()
    address = ""

    def listening(url: str, secret: str | None) -> None:
        nonlocal address
        address = url
        screen.print(f"Radixa listens at {url}\nDashboard: {url}/dashboard", soft_wrap=True)
        if secret:
            show_key(secret)

    def show_key(secret: str) -> None:
        from rich.panel import Panel

        text = f"{secret}\n\nThis is the administrator's key. It is shown this once; only its hash is kept."
        screen.print(Panel(text, title="New API key", expand=False))

    with progress_bars() as progress:

        def ready(name: str) -> None:
            if name:
                progress(START, 1, 1)
            screen.print(readiness(address, printable(name), auth=config.server.auth), soft_wrap=True)

        def stopping() -> None:
            screen.print("Finishing what runs, then stopping.")

        def warning(text: str) -> None:
            typer.echo(f"warning: {printable(text)}", err=True)

        run(config, Events(listening, progress, ready, stopping, warning), dashboard)


START = "Starting the engine"


def readiness(address: str, model: str, *, auth: bool) -> str:
    """What is said once requests can be answered. `model`: the engine's own, empty where only upstreams answer."""
    if model:
        return f"{model} is ready.\n\n{example(address, model, auth=auth)}"
    return (
        f"Ready, without an engine: {address}/v1/models lists its providers' models; MODEL is one of them.\n\n"
        f"{example(address, 'MODEL', auth=auth)}"
    )


def example(address: str, model: str, *, auth: bool) -> str:
    """How to send the first request. A key is a secret, which nobody wants in a shell's history or a script."""
    header = ' -H "Authorization: Bearer $RADIXA_API_KEY"' if auth else ""
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    imports, key = ("import os\n", 'os.environ["RADIXA_API_KEY"]') if auth else ("", '"none"')
    return (
        f"{'With your key in RADIXA_API_KEY:' if auth else 'For example:'}\n\n"
        f"curl {address}/v1/chat/completions{header} -H 'Content-Type: application/json' -d '{body}'\n\n"
        f"{imports}from openai import OpenAI\n"
        f'client = OpenAI(base_url="{address}/v1", api_key={key})'
    )
