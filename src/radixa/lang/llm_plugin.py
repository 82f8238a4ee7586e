"""A plugin for `llm`, Simon Willison's command line: the models of a running server, as `radixa/…`.

`llm` finds it by the entry point of this package. The server is the one of `RADIXA_BASE_URL`, else this machine's port
8000; its key is what `llm keys set radixa` stored, else `RADIXA_API_KEY`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import click
import httpx2
import llm
import msgspec
import openai
from llm.default_plugins import openai_models
from llm.models import EmbeddingModel
from pydantic import Field, create_model

from radixa.core.addresses import DEFAULT_URL, root_url
from radixa.core.errors import CallFailed, RadixaError
from radixa.core.refusals import reason

PREFIX = "radixa/"
NEEDS_KEY, KEY_VARIABLE = "radixa", "RADIXA_API_KEY"
LIST_TIMEOUT_S = 2.0
"""`llm` asks for the models whenever it runs, so a server that is slow to answer must not hold it up for long."""
WISHES: dict[str, tuple[Any, str]] = {
    "prompt_cache": (bool, "Whether this prompt may use the cache and be kept in it."),
    "cache_ttl_seconds": (int, "Keep this prompt for at least so many seconds, 1 to 86400."),
    "high_priority": (bool, "Let this prompt be evicted last."),
    "cache_salt": (str, "Share the cache only with prompts of the same salt."),
    "session_id": (str, "A name for the conversation in the server's ledger."),
}
"""Options beside OpenAI's: fields of the body of our own."""


class Offered(NamedTuple):
    """A model as the server's list has it."""

    id: str
    embeds: bool
    sees: bool
    """Pictures; our own engine reads text only."""


class Listing(NamedTuple):
    models: tuple[Offered, ...]
    keyless: bool
    """The server asked for no key."""


class _Ours(msgspec.Struct, frozen=True):
    provider: str = ""
    served_by: str | None = None


class _Entry(msgspec.Struct, frozen=True):
    """What is read of an entry of the server's list."""

    id: str
    radixa: _Ours | None = None


class _List(msgspec.Struct, frozen=True):
    data: list[_Entry]


@llm.hookimpl
def register_models(register: Callable[..., None]) -> None:
    listing = _known()
    for model in listing.models:
        if not model.embeds:
            register(Chat(model, listing.keyless), AsyncChat(model, listing.keyless))


@llm.hookimpl
def register_embedding_models(register: Callable[..., None]) -> None:
    listing = _known()
    for model in listing.models:
        if model.embeds:
            register(Embeddings(model, listing.keyless))


@llm.hookimpl
def register_commands(cli: click.Group) -> None:
    @cli.group(name="radixa")
    def radixa() -> None:
        "Commands for a Radixa server"

    @radixa.command()
    def models() -> None:
        "List the server's models, or say why there are none"
        try:
            found = listed(_url(), llm.get_key(alias=NEEDS_KEY, env=KEY_VARIABLE))
        except RadixaError as error:
            raise click.ClickException(error.message) from error
        for model in found.models:
            click.echo(f"{PREFIX}{model.id}{' (embeddings)' if model.embeds else ''}")


def _url() -> str:
    """Without `/v1`. CallFailed where the variable holds no address."""
    return root_url(os.environ.get("RADIXA_BASE_URL") or DEFAULT_URL)


def listed(url: str, key: str | None) -> Listing:
    """What the server offers. CallFailed where it does not answer, or refuses."""
    found = _listed(url, key)
    if isinstance(found, CallFailed):
        raise found
    return found


@cache
def _listed(url: str, key: str | None) -> Listing | CallFailed:
    """Asked once in a process, whatever comes of it: `llm` wants the models several times in each run."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        # Certificates are read only where some will be asked for: that takes longer than the question.
        secure = url.startswith("https:")
        answer = httpx2.get(f"{url}/v1/models", headers=headers, timeout=LIST_TIMEOUT_S, verify=secure)
    except httpx2.HTTPError as error:
        return CallFailed(f"no server answers at {url} ({error}); start one, or set RADIXA_BASE_URL")
    if answer.status_code != 200:
        return CallFailed(
            f"{url} answered {answer.status_code}: {reason(answer.content)} "
            f"A key is set by `llm keys set {NEEDS_KEY}` or {KEY_VARIABLE}.",
            answered=answer.status_code,
        )
    try:
        body = msgspec.json.decode(answer.content, type=_List)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return CallFailed(f"{url}/v1/models gives no list of models ({error}); RADIXA_BASE_URL names another server")
    models = [(model.id, model.radixa or _Ours()) for model in body.data]
    engine = next((name for name, ours in models if ours.provider == "radixa"), None)
    # The list says of no model what it does; those that embed are called so by whoever sells them.
    return Listing(
        tuple(
            Offered(name, ours.provider == "wordllama" or "embed" in name, ours.served_by != engine)
            for name, ours in models
        ),
        keyless=key is None,
    )


def _known() -> Listing:
    """The server's models; those it had when it last answered where it does not, so that a call says what is wrong."""
    nothing = Listing((), keyless=False)
    try:
        url = _url()
    except CallFailed:
        return nothing
    file: Path = llm.user_dir() / "radixa-models.json"  # type: ignore[no-untyped-call]
    kept: dict[str, Listing] = {}
    # It is not there yet, another run writes it just now, or it is of another version.
    with suppress(OSError, msgspec.DecodeError):
        kept = msgspec.json.decode(file.read_bytes(), type=dict[str, Listing])
    try:
        found = listed(url, llm.get_key(alias=NEEDS_KEY, env=KEY_VARIABLE))
    except CallFailed as error:
        return kept.get(url, nothing) if error.answered is None else nothing
    if kept.get(url) != found:
        with suppress(OSError):
            file.write_bytes(msgspec.json.encode(kept | {url: found}))
    return found


_WISHED: dict[str, Any] = {
    name: (kind | None, Field(default=None, description=said)) for name, (kind, said) in WISHES.items()
}
_NO_KEY = "none"
"""The SDK wants a key; a server without keys looks at none."""


class _Model(openai_models._Shared):
    """What is the same for a model that is waited for and one that is awaited."""

    needs_key = NEEDS_KEY
    key_env_var: str | None = KEY_VARIABLE
    Options = create_model("Options", __base__=openai_models.build_options_class(), **_WISHED)

    def __init__(self, model: Offered, keyless: bool) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            model_id=PREFIX + model.id,
            key=_NO_KEY if keyless else None,
            model_name=model.id,
            api_base=f"{_url()}/v1",
            vision=model.sees,
            supports_schema=True,
            supports_tools=True,
        )

    def __str__(self) -> str:
        return f"Radixa: {PREFIX}{self.model_name}"

    def build_kwargs(self, prompt: Any, stream: bool) -> dict[str, Any]:
        fields: dict[str, Any] = super().build_kwargs(prompt, stream)  # type: ignore[no-untyped-call]
        ours = {name: fields.pop(name) for name in WISHES if name in fields}
        return fields | ({"extra_body": ours} if ours else {})

    def set_usage(self, response: Any, usage: dict[str, Any] | None) -> None:
        """Also what was cached and what that saved, zeros written out."""
        if usage is None:
            return
        details = usage.get("prompt_tokens_details") or {}
        said = {name: details.get(name) for name in ("cached_tokens", "cache_write_tokens")}
        ours = usage.get("radixa") or {}
        said |= {name: ours.get(name) for name in ("served_by", "cost_usd", "saved_usd")}
        response.set_usage(
            input=usage["prompt_tokens"],
            output=usage["completion_tokens"],
            details={name: value for name, value in said.items() if value is not None},
        )


class Chat(_Model, openai_models.Chat):  # type: ignore[misc]  # the bases' own annotations differ
    """Blocks."""


class AsyncChat(_Model, openai_models.AsyncChat):  # type: ignore[misc]  # the bases' own annotations differ
    """Is awaited."""

    async def execute(
        self, prompt: Any, stream: bool, response: Any, conversation: Any = None, key: str | None = None
    ) -> AsyncGenerator[Any, None]:
        """Closes the connection while its loop still runs: `llm` leaves it to the collector, and that is too late."""
        client: openai.AsyncOpenAI = self.get_client(key, async_=True)  # type: ignore[no-untyped-call]
        call = copy(self)
        call.get_client = lambda *_, **__: client  # type: ignore[method-assign]
        async with client, aclosing(super(AsyncChat, call).execute(prompt, stream, response, conversation)) as events:
            async for event in events:
                yield event


class Embeddings(EmbeddingModel):
    needs_key = NEEDS_KEY
    key_env_var = KEY_VARIABLE
    batch_size = 100

    def __init__(self, model: Offered, keyless: bool) -> None:
        self.model_id = PREFIX + model.id
        self._model = model.id
        self._url = f"{_url()}/v1"
        self.key = _NO_KEY if keyless else None

    def embed_batch(self, items: Iterable[str | bytes], *, key: str | None = None) -> Iterator[list[float]]:
        texts = [item for item in items if isinstance(item, str)]
        with openai.OpenAI(base_url=self._url, api_key=key) as client:
            found = client.embeddings.create(model=self._model, input=texts)
        return (row.embedding for row in found.data)
