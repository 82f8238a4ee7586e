"""Anthropic as a provider: its own bodies as they come, all others converted; breakpoints where they pay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from radixa.core.base import Dialect, GenerateChunk, GenerateRequest, Usage
from radixa.core.config import ProviderConfig
from radixa.core.errors import ConfigError, InvalidRequest, UpstreamError, unsupported
from radixa.providers.anthropic.base import ADDRESS, COUNT_TOKENS, COUNTED, FORWARDED, MESSAGES, VERSION
from radixa.providers.anthropic.breakpoints import Breakpoints, Placed
from radixa.providers.anthropic.errors import explainer
from radixa.providers.anthropic.reading import Reader
from radixa.providers.anthropic.usage import Counter
from radixa.providers.anthropic.writing import fields_of, written
from radixa.providers.base import Embedded, EmbedRequest
from radixa.providers.own_fields import OPENAI_CACHE_FIELDS, OWN_FIELDS
from radixa.providers.size import text_bytes
from radixa.providers.streams import closing
from radixa.providers.upstream.http import Upstream
from radixa.providers.upstream.keys import where
from radixa.providers.upstream.refusals import Account
from radixa.providers.upstream.sse import ServerEvent
from radixa.providers.upstream.unreadable import UNREADABLE

Fields = dict[str, msgspec.Raw]

_fields = msgspec.json.Decoder(Fields)
_encode = msgspec.json.Encoder().encode


class AnthropicProvider:
    """Implements `providers.base.Provider`. Bodies of `/v1/messages` go on as they came, but for what is ours."""

    def __init__(
        self, name: str, config: ProviderConfig, api_key: str | None, breakpoints: Breakpoints | None = None
    ) -> None:
        """ConfigError where `base_url` names several servers: there is one Anthropic."""
        if not isinstance(config.base_url, str):
            raise ConfigError(f"providers.{name}.base_url: expected one address, or none for Anthropic's own")
        self.name = name
        self._breakpoints = Breakpoints() if breakpoints is None else breakpoints
        self._account = Account(name, api_key, where(name, config))
        headers: Mapping[str, str] = {"x-api-key": api_key} if api_key else {}
        address = (config.base_url or ADDRESS).rstrip("/").removesuffix("/v1")
        self._upstream = Upstream(name, address, config, headers, explainer(self._account))

    @property
    def ready(self) -> bool:
        return self._upstream.ready

    @property
    def upstreams(self) -> Sequence[Upstream]:
        return (self._upstream,)

    @property
    def dialects(self) -> frozenset[Dialect]:
        return frozenset({"messages"})

    async def generate(self, request: GenerateRequest) -> AsyncIterator[GenerateChunk]:
        fields = self._body(request)
        raw = request.source is not None
        stream = request.stream or not raw
        if stream:
            fields["stream"] = msgspec.Raw(b"true")
        done = self._breakpoints.place(fields, request.namespace, request.model, request.cache)
        body = _encode(fields if done is None else done.fields)
        reader = Reader(self._account, Counter(text_bytes(body)), raw=raw)
        headers = _headers(request)
        try:
            if not stream:
                yield reader.whole(await self._upstream.post(MESSAGES, body, headers))
                return
            async with closing(self._upstream.stream(MESSAGES, body, headers, _is_last)) as events:
                async for event in events:
                    for chunk in reader.read(event):
                        yield chunk
            if not reader.complete:
                raise UpstreamError(f"{self.name} ended its answer before it was complete.", retryable=not reader.begun)
        finally:
            self._settle(done, reader)

    async def count_tokens(self, request: GenerateRequest) -> int:
        """Tokens of the prompt, as Anthropic counts them."""
        fields = {name: value for name, value in self._body(request).items() if name in COUNTED}
        answer = await self._upstream.post(COUNT_TOKENS, _encode(fields), _headers(request))
        try:
            tokens = msgspec.json.decode(answer, type=dict[str, object]).get("input_tokens")
        except UNREADABLE:
            tokens = None
        if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0:
            raise UpstreamError(f"{self.name} did not say how many tokens the prompt has.")
        return tokens

    async def embed(self, request: EmbedRequest) -> Embedded:
        raise unsupported("model", "Anthropic embeds nothing. Name a model of a provider that does.")

    async def close(self) -> None:
        await self._upstream.close()

    # ---- inside

    def _body(self, request: GenerateRequest) -> Fields:
        """The body to be sent, by its top-level fields. InvalidRequest names what cannot be sent."""
        source = request.source
        if source is None:
            fields = fields_of(written(request))
        else:
            try:
                fields = _fields.decode(source.body)
            except UNREADABLE as error:
                raise InvalidRequest(f"The body is not a JSON object: {error}.") from error
            for name in (OWN_FIELDS | OPENAI_CACHE_FIELDS) & fields.keys():
                del fields[name]
            # Our own one word for the cache; an object is Anthropic's.
            if bytes(fields.get("cache_control", b"")).startswith(b'"'):
                del fields["cache_control"]
        for name, value in request.extra.items():
            fields.setdefault(name, msgspec.Raw(_encode(value)))
        fields["model"] = msgspec.Raw(_encode(request.model))
        return fields

    def _settle(self, done: Placed | None, reader: Reader) -> None:
        if done is None:
            return
        usage: Usage | None = reader.counter.usage if reader.begun else None
        self._breakpoints.settle(done, usage)


def _headers(request: GenerateRequest) -> dict[str, str]:
    """The caller's own version and betas go on."""
    given = () if request.source is None else request.source.headers
    return {"anthropic-version": VERSION} | {name.lower(): value for name, value in given if name.lower() in FORWARDED}


def _is_last(event: ServerEvent) -> bool:
    return event.event == "message_stop" or event.data.startswith(b'{"type":"message_stop"')
