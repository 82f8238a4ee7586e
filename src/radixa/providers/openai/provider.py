"""A server that speaks OpenAI's API, or several replicas of one, as a provider."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from radixa.core.base import Dialect, GenerateChunk, GenerateRequest, Source
from radixa.core.config import ProviderConfig
from radixa.core.errors import ConfigError, InvalidRequest, UpstreamError, unsupported
from radixa.providers.base import Embedded, EmbedRequest
from radixa.providers.openai.affinity import Affinity
from radixa.providers.openai.body import Fields, encode, fields, pass_on, prompt_of, steer, wants_usage
from radixa.providers.openai.choices import ChoicesReader
from radixa.providers.openai.counting import count_tokens
from radixa.providers.openai.errors import explainer
from radixa.providers.openai.generations import Generation, generation
from radixa.providers.openai.kinds import KINDS
from radixa.providers.openai.reading import Answer, Reader
from radixa.providers.openai.replicas import Replicas
from radixa.providers.openai.responses import ResponsesReader
from radixa.providers.openai.usage import estimated, read_usage
from radixa.providers.openai.writing import chat_body, completions_body
from radixa.providers.own_fields import OWN_FIELDS
from radixa.providers.streams import closing
from radixa.providers.upstream.conversation import conversation_of
from radixa.providers.upstream.http import Upstream
from radixa.providers.upstream.keys import where
from radixa.providers.upstream.refusals import Account

_PATHS: dict[Dialect, str] = {"chat": "/chat/completions", "completions": "/completions", "responses": "/responses"}
_NOT_THE_CALLERS = frozenset({"authorization", "api-key", "openai-organization", "openai-project"})
"""Headers that say who asks: that is this server."""

log = logging.getLogger("radixa.providers")


@dataclass(frozen=True, slots=True)
class _Call:
    """A request as it is sent."""

    dialect: Dialect
    body: bytes
    prompt: bytes
    """Its prompt's JSON."""
    count: int
    stream: bool
    raw: bool
    show_usage: bool
    headers: dict[str, str]


class OpenAIProvider:
    """Implements `providers.base.Provider`. `kind` is a row of `kinds.KINDS`.

    ConfigError where nothing says where the server is.
    """

    def __init__(self, name: str, config: ProviderConfig, api_key: str | None, kind: str) -> None:
        self.name = name
        self._kind = KINDS[kind]
        self._account = Account(name, api_key, where(name, config))
        urls = (config.base_url,) if isinstance(config.base_url, str) else config.base_url
        urls = tuple(url for url in urls if url) or ((self._kind.base_url,) if self._kind.base_url else ())
        if not urls:
            raise ConfigError(f"providers.{name}.base_url: missing; expected the server's address, up to its /v1")
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        explain = explainer(self._account)
        # Counting tokens is at the server's root.
        self._upstreams = [Upstream(name, _root(url), config, self._headers, explain) for url in urls]
        self._prefixes = [url.rstrip("/").removeprefix(_root(url)) for url in urls]
        self._replicas = Replicas(len(urls))
        self._affinity = Affinity()

    @property
    def ready(self) -> bool:
        return any(upstream.ready for upstream in self._upstreams)

    @property
    def upstreams(self) -> Sequence[Upstream]:
        return self._upstreams

    @property
    def dialects(self) -> frozenset[Dialect]:
        return self._kind.dialects

    async def generate(self, request: GenerateRequest) -> AsyncIterator[GenerateChunk]:
        call = self._call(request)
        left = set(range(len(self._upstreams)))
        while True:
            number = self._choose(call.prompt, request.namespace, left)
            upstream, path = self._upstreams[number], self._prefixes[number] + _PATHS[call.dialect]
            answer = Answer(self._account, call.prompt)
            reader = _reader(call, answer)
            try:
                with self._replicas.at(number):
                    if not call.stream:
                        yield reader.whole(await upstream.post(path, call.body, call.headers))
                        return
                    async with closing(upstream.stream(path, call.body, call.headers, reader.last)) as events:
                        async for event in events:
                            for chunk in reader.read(event):
                                yield chunk
            except UpstreamError as error:
                left.discard(number)
                if answer.begun and not reader.complete:
                    raise
                if not answer.begun:
                    if not left or not error.retryable:
                        raise
                    log.warning("%s: replica %d failed, another is asked: %s", self.name, number, error.message)
                    continue
                log.warning("%s: failed after the answer was complete: %s", self.name, error.message)
            for chunk in reader.end():
                yield chunk
            return

    async def count_tokens(self, request: GenerateRequest) -> int:
        call = self._call(request)
        sent = fields(call.body)
        prompt = sent.get("messages", sent.get("prompt"))
        if prompt is None or self._kind.counting == "none":
            raise unsupported("model", f"the upstream of {request.model} has no way to count tokens.")
        number = self._choose(call.prompt, request.namespace, set(range(len(self._upstreams))))
        return await count_tokens(self._upstreams[number], request, self._kind, prompt, sent.get("tools"))

    async def embed(self, request: EmbedRequest) -> Embedded:
        body = fields(request.body)
        for name in OWN_FIELDS & body.keys():
            del body[name]
        body["model"] = request.model
        sent = bytes(body.get("input", b""))
        number = self._choose(b"", "", set(range(len(self._upstreams))))
        with self._replicas.at(number):
            answered = await self._upstreams[number].post(self._prefixes[number] + "/embeddings", encode(body))
        try:
            said = fields(answered).get("usage")
        except InvalidRequest as error:
            raise UpstreamError(f"{self.name} sent embeddings that are no JSON object.") from error
        usage = None if said is None else read_usage(bytes(said), self.name)
        return Embedded(answered, estimated(sent, 0) if usage is None else usage)

    async def close(self) -> None:
        for upstream in self._upstreams:
            await upstream.close()

    # ---- inside

    def _choose(self, prompt: bytes, namespace: str, left: set[int]) -> int:
        ready = [number for number in left if self._upstreams[number].ready]
        return self._replicas.choose(prompt, namespace, ready or list(left))

    def _call(self, request: GenerateRequest) -> _Call:
        """What is sent for a request. InvalidRequest names what cannot be."""
        models = generation(request.model) if self._kind.cache_by_generation else Generation()
        source = request.source
        if source is not None:
            body = fields(source.body)
            show_usage = wants_usage(body)
            pass_on(body, source.body, source.dialect, request.model, self._kind, models)
            dialect: Dialect = source.dialect
        else:
            show_usage = False
            dialect, body = self._written(request, models)
        for name, value in request.extra.items():
            body.setdefault(name, value)
        prompt = prompt_of(body)
        self._steer(request, body, prompt, models)
        return _Call(
            dialect=dialect,
            body=encode(body),
            prompt=prompt,
            count=request.n,
            stream=source is None or request.stream,
            raw=source is not None,
            show_usage=show_usage,
            headers={} if source is None else _headers(source),
        )

    def _written(self, request: GenerateRequest, models: Generation) -> tuple[Dialect, Fields]:
        """A body for a request of another dialect."""
        if request.conversation is None and "completions" in self._kind.dialects:
            return "completions", completions_body(request, self._kind)
        return "chat", chat_body(request, conversation_of(request, request.model), self._kind, models)

    def _steer(self, request: GenerateRequest, body: Fields, prompt: bytes, models: Generation) -> None:
        """Put the cache policy into the body."""
        kind, policy = self._kind, request.cache
        if kind.salted:
            body["cache_salt"] = self._salt(request.namespace)
        if kind.cache_by_generation:
            steer(body, policy, models)
        if (kind.cache_keys or (kind.keeps_keys and policy.key)) and "prompt_cache_key" not in body and policy.read:
            key = policy.key or self._affinity.key(prompt, request.namespace)
            if key is not None:
                body["prompt_cache_key"] = key

    def _salt(self, namespace: str) -> str:
        """What keeps the namespaces of a shared server apart, and nobody can guess who has not its key."""
        return blake2b(namespace.encode(), key=(self._account.key or "").encode()[:64], digest_size=32).hexdigest()


def _reader(call: _Call, answer: Answer) -> Reader:
    if call.dialect == "responses":
        return ResponsesReader(answer)
    return ChoicesReader(answer, call.dialect, call.count, raw=call.raw, show_usage=call.show_usage)


def _headers(source: Source) -> dict[str, str]:
    return {name: value for name, value in source.headers if name.lower() not in _NOT_THE_CALLERS}


def _root(url: str) -> str:
    return url.rstrip("/").removesuffix("/v1")
