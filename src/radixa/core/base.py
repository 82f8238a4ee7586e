"""The types that cross package borders.

They are frozen msgspec structs: the same object is what a caller builds, what travels over the engine's socket and
what a test compares. Token ids are `bytes` of little-endian int32 everywhere outside the model (`tokens.py`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from radixa.core.conversation import Conversation

FinishReason = Literal["stop", "length", "error", "tool_calls", "content_filter"]
"""Why an answer ended: a stop token or string, the token limit, the engine failed, tools are to be called, a provider
withheld the rest."""

Dialect = Literal["chat", "completions", "responses", "messages"]
"""The API a body is written in: OpenAI's three, and Anthropic's."""

Role = Literal["system", "tool", "user", "assistant", "thinking", ""]
"""Whose turn a stretch of a prompt is; empty where it is not known."""

MissReason = Literal["never_seen", "diverged", "evicted", "expired", "namespace", "disabled", "below_minimum"]
"""Why no more of a prompt was reused:

- `never_seen`: what follows was not in the cache, and nothing else follows there either;
- `diverged`: something else follows there;
- `evicted`, `expired`: what follows was there and had to go, the latter after its TTL had run out;
- `namespace`: it is there under another `cache_salt` of the same account;
- `disabled`: the request, or the server, does not read the cache;
- `below_minimum`: what follows is less than a page, the least that is kept.
"""


class Grammar(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an answer must be: nothing else can be said."""

    kind: Literal["regex", "json_schema", "json_object", "choices", "lark"]
    text: str = ""
    """A pattern in Rust's syntax; a schema as JSON; the choices as a JSON array of strings; a grammar in llguidance's
    form of Lark."""
    place: str = ""
    """Where it stands in the caller's body, as an error names it."""
    lenient: bool = False
    """Ignore what a schema asks for and no grammar can hold, such as `uniqueItems`, rather than refuse it."""
    parts: tuple[Grammar, ...] = ()
    """What it was made of, each with its own place: where it cannot be, an error names the part at fault."""


class SamplingParams(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the next token is chosen. Defaults are OpenAI's; ranges are checked where a request enters (the gateway)."""

    max_tokens: int = 512
    """0 computes the prompt, keeps it as the cache policy says, and generates nothing."""
    temperature: float = 1.0
    """0 takes the most likely token."""
    top_p: float = 1.0
    top_k: int = 0
    """0 keeps every token."""
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    logprobs: int | None = None
    """Alternatives reported per token, 0 for the chosen token alone; None reports none."""
    logit_bias: dict[int, float] = {}
    grammar: Grammar | None = None
    """None is free text."""
    special_text: bool = False
    """Special tokens are part of the text, as they are written: tool calls may begin with one."""


class ToolUse(msgspec.Struct, frozen=True):
    """A tool call as chat templates take it; `arguments` is a JSON object."""

    id: str
    name: str
    arguments: msgspec.Raw


class CachePolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a request may do with the prefix cache: the one form all cache wishes of CONTRACT 3.1 take inside."""

    read: bool = True
    write: bool = True
    ttl: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Seconds since the last use for which the prompt is to be kept; None says nothing."""
    priority: bool = False
    """It goes last."""
    pin: bool = False
    """It goes last until somebody drops it."""
    session: str = ""
    """The session it belongs to; empty for none."""
    key: str = ""
    """The caller's `prompt_cache_key`: requests of one key are to be answered at one place."""
    explicit: bool = False
    """The caller placed breakpoints of their own, so nobody else places any."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message as a chat template takes it, text only."""

    role: str
    content: str
    name: str | None = None
    tool_calls: tuple[ToolUse, ...] = ()
    tool_call_id: str | None = None
    """The call that a tool's message answers."""


class Source(msgspec.Struct, frozen=True):
    """A body as it came, for a provider that speaks its dialect: only fields that must change are changed."""

    dialect: Dialect
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """The caller's own headers that belong to the dialect, such as `anthropic-beta`."""


class GenerateRequest(msgspec.Struct, frozen=True):
    """A request after the gateway has understood it: whatever API it came through, a provider sees this.

    Exactly one of `source`, `conversation`, `prompt` and `token_ids` is set; with a `source`, `sampling` repeats what
    the gateway read of it and the body itself holds.
    """

    request_id: str
    model: str
    """As the provider calls it."""
    namespace: str
    """Whose cache entries may be seen: `"account"` or `"account/salt"`."""
    sampling: SamplingParams
    cache: CachePolicy
    conversation: Conversation | None = None
    prompt: str | None = None
    token_ids: bytes | None = None
    source: Source | None = None
    stream: bool = False
    """Whether the caller wants the answer piece by piece."""
    n: int = 1
    """Answers wanted; their chunks carry `index` 0 to n - 1."""
    extra: dict[str, Any] = {}
    """Fields that the provider's body gets where it has none of them."""
    open_ended: bool = False
    """The caller named no `max_tokens`: what `sampling` says is our default, and gives way to the model's context."""


class TokenLogprob(msgspec.Struct, frozen=True):
    """A token's log-probability (natural log, before temperature) and its likeliest alternatives."""

    token_id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


class TextLogprob(msgspec.Struct, frozen=True):
    """The same in the tokens' own bytes, which need no tokenizer to be read: a character may need several tokens."""

    token: bytes
    logprob: float
    top: tuple[tuple[bytes, float], ...] = ()


class Miss(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a prompt left the cache, and why."""

    at: int
    """Tokens before it: the first of the prompt that could not be reused."""
    reason: MissReason
    left: float | None = None
    """When it was evicted, or its TTL ran out: seconds since 1970."""
    lost: int = 0
    """Tokens from there on that had been in the cache, where they were evicted or expired."""
    tree: tuple[bytes, ...] = ()
    """What follows there instead: the beginnings of at most three paths, the last used first."""


class Volatile(msgspec.Struct, frozen=True):
    """A stretch of a prompt that changes with every request, before much that does not."""

    start: int
    end: int
    """Tokens `start` to `end` of the prompt."""
    seen: int
    """Requests that had something else there."""
    cost_tokens: int
    """Tokens after it that the cache holds, and that are computed again because of it."""


class Explanation(msgspec.Struct, frozen=True):
    """What a prompt would find in the cache now. `cached_tokens` includes `host_tokens` and `disk_tokens`."""

    prompt_tokens: int
    cached_tokens: int
    host_tokens: int = 0
    disk_tokens: int = 0
    miss: Miss | None = None
    """None where all but the last token, which is always computed, would be reused."""
    volatile: Volatile | None = None


class Usage(msgspec.Struct, frozen=True, omit_defaults=False):
    """Counts that add up: `prompt = cached + written + plain`, each at least 0 (law 5)."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens whose KV was reused."""
    cache_write_tokens: int = 0
    """Prompt tokens newly kept: in the tree, or by an upstream that says so."""
    completion_tokens: int = 0
    host_tokens: int = 0
    """Those of the cached tokens that came from the host's memory to a GPU."""
    disk_tokens: int = 0
    """Those of the cached tokens that came from disk."""
    long_write_tokens: int = 0
    """Those of the written tokens that an upstream keeps for an hour or longer, at a price of their own."""
    reasoning_tokens: int = 0
    """Those of the completion that were thought and not said."""
    estimated: bool = False
    """The upstream never said: these are counts of what was sent and delivered, about four bytes a token."""
    miss: Miss | None = None
    """None where all but the prompt's last token was reused."""
    volatile: Volatile | None = None

    @property
    def plain_tokens(self) -> int:
        return self.prompt_tokens - self.cached_tokens - self.cache_write_tokens

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class ToolCallDelta(msgspec.Struct, frozen=True):
    """A piece of a tool call: the first one of a `position` has `id` and `name`, all have more of the `arguments`."""

    position: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class GenerateChunk(msgspec.Struct, frozen=True):
    """A piece of one answer. The last chunk of each answer has a `finish_reason`; the last of all has the `usage`.

    An engine of ours gives each answer's own usage, with its first chunk as it stands then and with its last; an
    upstream gives one for all answers.
    """

    index: int
    text: str = ""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[TextLogprob, ...] | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    signature: str = ""
    """The provider's proof of the `reasoning` before it."""
    raw: bytes = b""
    """In the caller's own dialect, where the provider speaks it: the JSON of one event of a stream, or of the whole
    answer. It goes out as it is, but for its usage."""
    event: str = ""
    """The event's name beside `raw`, where the dialect names events."""
