"""One request inside the engine, from the queue to its last token."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from math import inf

from radixa.core import tokens as token_ids
from radixa.core.base import CachePolicy, Explanation, Usage
from radixa.engine.base import EngineRequest
from radixa.engine.grammar import Constraint
from radixa.engine.text import TextStream
from radixa.kv.base import Lease
from radixa.kv.tiers.base import Kind
from radixa.radix import Keep, Origin, Span


@dataclass(slots=True, eq=False)
class Sequence:
    """A request and what became of it so far. The scheduler owns it; equality is identity.

    `tokens` is prompt and answer, packed. The last token of an answer has no KV yet: its logits come with the next
    step. So a sequence is *pending* by at least one token as long as it runs: by exactly one while it decodes, by more
    where a grammar forced several.

    On a device the next step is planned before the last one's tokens are read: those stand at the end of `tokens` as
    zeros until they are, and are counted by `unread`.
    """

    request: EngineRequest
    order: int
    """Place in the order of arrival, kept through retractions."""
    prompt_tokens: int
    max_tokens: int
    """`sampling.max_tokens`, or less where the context or the pool ends before."""
    text: TextStream
    tokens: bytearray
    random: random.Random
    lease: Lease | None = None
    computed: int = 0
    """Leading tokens whose KV lies in the lease's slots."""
    cached: int | None = None
    """Prompt tokens reused at the first admission; None before it."""
    written: int = 0
    """Prompt tokens newly kept in the tree."""
    overtaken: int = 0
    """Later requests that were admitted while this one waited."""
    explanation: Explanation | None = None
    """What the first admission found; None before it."""
    blocks: list[bytes] = field(default_factory=list)
    """Names of the prompt's blocks in the tier beneath the cache, as far as they were needed."""
    here: int = 0
    """Leading tokens that were in the tree when it came."""
    brought: int = 0
    """Leading tokens that were there once what it waited for had been brought up; 0 where it waited for nothing."""
    brought_from: Kind = "disk"
    """The tier that they were brought up from."""
    spans: tuple[Span, ...] = ()
    """Of prompt and answer."""
    keep: Keep | None = None
    """The retention that the request asks for."""
    counts: Counter[int] = field(default_factory=Counter)
    """Tokens of the answer, for penalties."""
    constraint: Constraint | None = None
    """Its place in the grammar that the answer must keep to; None for free text."""
    unread: int = 0
    """Tokens at the end that the device has drawn or is drawing, and that were not read yet."""

    @classmethod
    def start(cls, request: EngineRequest, order: int, limit: int, text: TextStream) -> Sequence:
        """`limit`: tokens that prompt and answer may have together."""
        prompt_tokens = token_ids.count(request.token_ids)
        return cls(
            request=request,
            order=order,
            prompt_tokens=prompt_tokens,
            max_tokens=min(request.sampling.max_tokens, limit - prompt_tokens),
            text=text,
            tokens=bytearray(request.token_ids),
            random=random.Random(request.sampling.seed),
            spans=_spans(request, prompt_tokens, limit),
            keep=_keep(request.cache),
        )

    @property
    def length(self) -> int:
        return len(self.tokens) // token_ids.TOKEN_BYTES

    @property
    def generated(self) -> int:
        """Tokens of the answer that are known."""
        return self.length - self.prompt_tokens - self.unread

    @property
    def decoding(self) -> bool:
        """Whether the answer has begun, its tokens read or not."""
        return self.length > self.prompt_tokens

    @property
    def drawn(self) -> bool:
        """Whether the answer's last token is under way, so that there is nothing left to compute."""
        return self.unread > 0 and self.length - self.prompt_tokens >= self.max_tokens

    @property
    def pending(self) -> int:
        """Tokens to compute before the next one can be sampled."""
        return self.length - self.computed

    @property
    def prefilling(self) -> bool:
        return self.pending > 1

    def key(self, count: int | None = None) -> bytes:
        """The first `count` tokens, or all."""
        return bytes(self.tokens if count is None else self.tokens[: count * token_ids.TOKEN_BYTES])

    def ids(self, start: int, stop: int) -> memoryview:
        """Tokens `start` to `stop` as int32."""
        view = memoryview(self.tokens)[start * token_ids.TOKEN_BYTES : stop * token_ids.TOKEN_BYTES]
        return view.cast("i")

    def append(self, token: int) -> None:
        """The answer's next token: in the place that was kept for it, if one was."""
        data = token.to_bytes(token_ids.TOKEN_BYTES, "little", signed=True)
        if self.unread:
            at = len(self.tokens) - self.unread * token_ids.TOKEN_BYTES
            self.tokens[at : at + token_ids.TOKEN_BYTES] = data
            self.unread -= 1
        else:
            self.tokens += data
        self.counts[token] += 1

    def expect(self) -> None:
        """Keep a place for a token that the device is about to draw."""
        self.tokens += bytes(token_ids.TOKEN_BYTES)
        self.unread += 1

    def drop_unread(self) -> None:
        """The answer ended before what was drawn or computed after it. Its last token then counts as not computed, as
        always."""
        if self.unread:
            del self.tokens[-self.unread * token_ids.TOKEN_BYTES :]
            self.unread = 0
        self.computed = min(self.computed, self.length - self.decoding)

    def kept(self, tokens: int) -> None:
        """Account for `tokens` newly kept in the tree: only the prompt's count, and none of them twice."""
        self.written = min(self.written + tokens, self.prompt_tokens - (self.cached or 0))

    @property
    def usage(self) -> Usage:
        brought = max(0, min(self.brought, self.cached or 0) - self.here)
        return Usage(
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached or 0,
            cache_write_tokens=self.written,
            completion_tokens=self.generated,
            host_tokens=brought if self.brought_from == "host" else 0,
            disk_tokens=brought if self.brought_from == "disk" else 0,
            miss=self.explanation.miss if self.explanation else None,
            volatile=self.explanation.volatile if self.explanation else None,
        )


def _spans(request: EngineRequest, prompt: int, limit: int) -> tuple[Span, ...]:
    """The origins of the prompt's turns, and of the answer after them."""
    session = request.cache.session
    known = [Span(end, Origin(role, session)) for end, role in request.spans]
    if not known:
        known = [Span(prompt, Origin("", session))]
    return (*known, Span(limit, Origin("assistant", session)))


def _keep(policy: CachePolicy) -> Keep | None:
    if policy.ttl is None and not policy.priority and not policy.pin:
        return None
    return Keep(inf if policy.ttl is None else policy.ttl, policy.priority, policy.pin)
