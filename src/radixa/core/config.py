"""The configuration: every value is a field of one of the structs below.

So the file, the variables (`RADIXA_ENGINE_DTYPE` for `[engine] dtype`), `radixa config show` and the code cannot drift
apart. A key nobody reads is an error, not a comment. `loading.py` fills them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

_MOST = 2**31 - 1
Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1, le=_MOST)]
Count = Annotated[int, Meta(ge=0, le=_MOST)]
Bytes = Annotated[int, Meta(ge=1, le=1 << 50)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Threads = Annotated[int, Meta(ge=0, le=1024)]


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    host: str = "127.0.0.1"
    port: Port = 8000
    """0 takes any free port."""
    max_body_bytes: Positive = 16 * 1024 * 1024
    body_timeout_s: Seconds = 60.0
    """How long a body may be silent before it is complete."""
    idle_timeout_s: Seconds = 75.0
    """How long a connection may be without a complete head of a request: a new one, or one between two requests."""
    write_timeout_s: Seconds = 60.0
    """How long a client may keep its answer waiting; taking a KiB of it wins back a second."""
    max_header_bytes: Annotated[int, Meta(ge=8192, le=1 << 24)] = 64 * 1024
    """A longer head of a request is answered with 431."""
    max_connections: Annotated[int, Meta(ge=1, le=1 << 20)] = 4096
    """A further one is answered with 503 and closed."""
    grace_s: Seconds = 20.0
    """How long running requests may go on after the signal to stop."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may read answers, such as https://chat.example.org, or `*`; none by default."""
    sandbox: bool = False
    """Let the embedded engine answer for the whole catalogue."""
    auth: bool = True


class StoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str = ""
    """`sqlite:///FILE` or `postgresql://…`; empty is `radixa.db` in the data folder."""


class EngineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool = True
    """False serves upstream models alone: no model is loaded, no engine started."""
    model: str = "smollm2"
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    kv_tokens: Count = 0
    """Slots of the KV pool; 0 takes what `kv_bytes` holds."""
    kv_bytes: Annotated[int, Meta(ge=0, le=1 << 50)] = 0
    """0 takes 1 GiB on a CPU, and on a GPU what the weights leave."""
    page_size: Positive = 1
    attention: Literal["auto", "on", "off"] = "auto"
    attention_kernels: Literal["triton", "flashinfer"] = "triton"
    max_running: Count = 0
    max_waiting: Positive = 1024
    step_tokens: Count = 0
    max_overtakes: Count = 16
    threads: Threads = 0
    """0 takes all cores; at most `MOST_THREADS_A_CORE` for each."""
    default_max_tokens: Positive = 512


class CacheConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    default: Literal["auto", "opt-in"] = "auto"
    normalise_billing_line: bool = True
    """Claude Code's first line changes with every request; make it the same for all before anything is cached."""
    enabled: bool = True
    eviction: Literal["lru", "arc", "default"] = "default"
    force_miss: bool = False
    """Keep the whole path and reuse nothing: the honest baseline."""
    retention: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Share of the KV pool that TTLs, priorities and pins may keep."""
    host_bytes: Annotated[int, Meta(ge=0, le=1 << 50)] = 0
    """Of the host's memory, pinned, beneath a GPU's KV pool."""
    disk: bool = True
    """Write what was computed to disk, where the next start finds it."""
    disk_folder: str = ""
    """Empty is `kv` in the cache folder."""
    disk_bytes: Bytes = 2 << 30
    disk_bandwidth: Bytes = 128 << 20
    """Bytes a second that are written at most."""
    events: str = ""
    """Where KV events are published (ZeroMQ: `tcp://127.0.0.1:5557`, `ipc://FILE`); empty is nowhere."""
    events_replay: str = ""
    """Where subscribers ask for events that they missed; empty answers no such questions."""
    events_layout: Literal["array", "map"] = "array"
    """Events as arrays of their fields, or as maps with names: older and newer subscribers."""

    @property
    def mode(self) -> Literal["radix", "force_miss", "none"]:
        """What the engine does with prefixes."""
        if not self.enabled:
            return "none"
        return "force_miss" if self.force_miss else "radix"


class AccountsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    free_credits_usd: Annotated[float, Meta(ge=0, le=1e6)] = 1.0
    """What a new account begins with."""
    self_signup: bool = False
    """Whether anyone may open an account."""


class LogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines on the standard error stream."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"
    """`info` also has a line for each request."""


class TelemetryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """OpenTelemetry, which needs the extra `radixa[otel]`."""

    otlp_endpoint: str = ""
    """Where traces and metrics go, such as http://127.0.0.1:4318 (OTLP over HTTP); empty is nowhere."""
    service_name: str = "radixa"


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Dollars per million tokens, as people write them; integers from here on (`core.money`).

    Without `input` or `output` what a request costs is unknown.
    """

    input: float | None = None
    cached_input: float | None = None
    """None is the input price: a discount that nobody states is none."""
    output: float | None = None
    cache_write: float | None = None
    """None is the input price."""
    cache_write_long: float | None = None
    """Of what is kept for an hour or longer; None is the price of any other write."""
    since: str = ""
    """The first day (YYYY-MM-DD) they hold; empty is always."""


class ModelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of the catalogue."""

    id: str
    provider: str
    """`radixa`, the embedded engine, or a name under `[providers]`."""
    upstream_model: str = ""
    """What the provider calls it; empty is the same as `id`."""
    prices: tuple[Prices, ...] = ()
    rpm: Count | None = None
    tpm: Count | None = None
    concurrency: Count | None = None
    """Requests of one account that may run at once."""
    cached_weight: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """How much a cached token counts towards tokens per minute."""
    context: Count | None = None
    shutdown_date: str | None = None
    fallbacks: tuple[str, ...] = ()
    """Models that are asked in turn where this one's provider fails before it answers."""
    extra: dict[str, Any] = {}
    """Fields that the body for the provider gets where it has none of them, such as DeepSeek's `thinking`."""
    retires: str | None = None
    """The day (YYYY-MM-DD) on which the provider ends `upstream_model`; without it, `shutdown_date` where that is what
    `id` says too."""
    successor: str | None = None
    """What the provider names to ask for from then on."""


class ProviderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An upstream: `[providers.NAME]`."""

    kind: Literal["openai", "deepseek", "openai-compatible", "vllm", "sglang", "llama.cpp", "anthropic", "gemini"]
    base_url: str | tuple[str, ...] = ""
    """Several are replicas of one server. Empty is the provider's own address."""
    api_key_env: str = ""
    """The variable that holds the key; empty is the kind's own, such as OPENAI_API_KEY, or none."""
    api_key_file: str = ""
    """A file that holds the key, instead."""
    connect_timeout_s: Seconds = 5.0
    first_byte_timeout_s: Seconds = 600.0
    """From the request to the first byte of its answer."""
    idle_timeout_s: Seconds = 120.0
    """Between two pieces of a stream, comments among them; an event must come within the longer of this and
    `first_byte_timeout_s`."""
    retries: Annotated[int, Meta(ge=0, le=10)] = 2
    """Further tries, where nothing of an answer came."""
    max_connections: Positive = 1024


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    server: ServerConfig = ServerConfig()
    store: StoreConfig = StoreConfig()
    engine: EngineConfig = EngineConfig()
    cache: CacheConfig = CacheConfig()
    accounts: AccountsConfig = AccountsConfig()
    log: LogConfig = LogConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    models: tuple[ModelEntry, ...] = ()
    """Entries added to the catalogue that ships, or replacing those of the same id."""
    providers: dict[str, ProviderConfig] = {}
    """Upstreams beside the four that are known by name, or in place of them."""
