"""`radixa chat`: talk to a model in the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from radixa.cli.common import DEFAULT_URL, ApiKey, Url, dollars, printable
from radixa.cli.misses import words

if TYPE_CHECKING:
    from radixa.bench.client import Answer, Client
    from radixa.core.base import Message


def chat(
    model: Annotated[str | None, typer.Option("--model", "-m", help="Default: the first model of the server.")] = None,
    system: Annotated[str | None, typer.Option("--system", help="A system prompt to begin with.")] = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Longest answer.")] = 512,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", min=0, max=2, help="Default: the server's; 0 is the likeliest text."),
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Talk with a model; each answer says what the cache spared. /new starts over, /quit or Ctrl-D ends.

    Example: radixa chat --url http://127.0.0.1:8000 --api-key rx-...
    """
    import asyncio

    wishes = {"max_tokens": max_tokens} | ({} if temperature is None else {"temperature": temperature})
    asyncio.run(_talk(url or DEFAULT_URL, api_key, model, system, wishes))


async def _talk(url: str, api_key: str | None, model: str | None, system: str | None, wishes: dict[str, float]) -> None:
    from radixa.bench.client import connect
    from radixa.core.base import Message
    from radixa.core.errors import CallFailed

    opening = [Message("system", system)] if system else []
    async with connect(url, api_key) as client:
        name = model or await client.default_model()
        typer.echo(printable(f"{name} at {client.url}"), err=True)
        messages = list(opening)
        while (text := _read()) is not None:
            if text == "/new":
                messages = list(opening)
            elif text:
                messages.append(Message("user", text))
                try:
                    answer = await _answer(client, name, messages, wishes)
                except CallFailed as error:
                    # A question that failed is taken back: the conversation goes on from where it was. A script that
                    # pipes its questions in has no use for that.
                    if not sys.stdin.isatty():
                        raise
                    typer.echo(f"radixa: {printable(error.message)}", err=True)
                    messages.pop()
                    continue
                messages.append(Message("assistant", answer.text))


def _read() -> str | None:
    """The next line typed, None at the end of input. Prompts only where somebody sees it."""
    if sys.stdin.isatty():
        try:
            line = input("> ")
        except EOFError:
            typer.echo(err=True)
            return None
    else:
        line = sys.stdin.readline()
        if not line:
            return None
    line = line.strip()
    return None if line == "/quit" else line


async def _answer(client: Client, model: str, messages: list[Message], wishes: dict[str, float]) -> Answer:
    """Print an answer as it comes, then one line about it."""
    shown = 0
    answer: Answer | None = None
    async for answer in client.chat(model, messages, **wishes):
        typer.echo(printable(answer.text[shown:], keep="\n\t"), nl=False)
        shown = len(answer.text)
    assert answer is not None
    typer.echo()
    typer.secho(summary(answer), dim=True, err=True)
    return answer


def summary(answer: Answer) -> str:
    """Tokens cached and, where the server says so, why not more; tokens answered; the first token; cost and saving."""
    prompt = int(answer.usage.get("prompt_tokens") or 0)
    ours = answer.usage.get("radixa")
    why = f" ({words(ours['miss']).short})" if ours and ours.get("miss") else ""
    parts = [
        f"{prompt:,} prompt tokens, cached not reported"
        if answer.cached_tokens is None
        else f"{answer.cached_tokens:,} of {prompt:,} prompt tokens cached{why}",
        f"{int(answer.usage.get('completion_tokens') or 0):,} tokens answered",
        f"first token after {1000 * answer.ttft:,.0f} ms",
    ]
    # A server of another make says nothing of money; ours says null where it does not know the model's price.
    if ours is not None:
        amounts = {word: ours.get(name) for word, name in (("cost", "cost_usd"), ("saved", "saved_usd"))}
        known = [f"{word} ${dollars(round(usd * 1e9))}" for word, usd in amounts.items() if usd is not None]
        parts += known or ["price unknown"]
    return ", ".join(parts)
