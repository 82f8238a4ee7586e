"""`radixa serve`: everything of one server composed, from a configuration to a clean end.

One asyncio process holds HTTP, keys and tokenising; the engine is a child process. The server listens first and answers
503 on `/ready` while the model is fetched and loaded, so that whoever waits for it can see it come.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from radixa.core.config import CacheConfig, Config
from radixa.core.errors import ConfigError
from radixa.core.paths import paths
from radixa.core.progress import Progress
from radixa.engine.base import EngineSettings
from radixa.engine.events.base import EventSettings
from radixa.gateway.address import Address, take
from radixa.gateway.app import App
from radixa.gateway.auth import Identity, KeyRing
from radixa.gateway.base import RouteTable
from radixa.gateway.http1 import HttpServer
from radixa.gateway.logs import access_log, log_to_stderr
from radixa.gateway.open_files import connections_for, raise_file_limit
from radixa.gateway.state import Gateway
from radixa.gateway.telemetry.opening import telemetry_for
from radixa.kv.tiers.secret import installation_secret
from radixa.models.base import ModelFolder
from radixa.providers.local.provider import LocalProvider
from radixa.providers.registry import upstreams
from radixa.store.database import one_at_a_time
from radixa.store.first import ensure_first_account, ensure_first_key, ignored_first_key
from radixa.store.owner import Owner
from radixa.store.sql import SqlStore, open_store

log = logging.getLogger("radixa.gateway")

T = TypeVar("T")

_COLLECT_AFTER = 10_000
"""New objects until the youngest are collected."""
_LEAVING_S = 2.0
"""How long clients may take for the rest of answers that are complete, when the server ends."""
_LAST_S = 5.0
"""What threads get when all else is done."""


@dataclass(frozen=True, slots=True)
class Events:
    """What `serve` tells its caller while it works; the command line prints these."""

    listening: Callable[[str, str | None], None]
    """The server's address, and the first key if one was just made: this is the only time it can be shown."""
    progress: Progress
    ready: Callable[[str], None]
    """The model's name, empty without an engine: from now on `/ready` is 200."""
    stopping: Callable[[], None]
    """A signal came; running requests are being finished."""
    warning: Callable[[str], None]
    """Something that is not as its user may believe, and stops nothing: one line."""


Mount = Callable[[Gateway], RouteTable]
"""Makes the routes that a server has beside the gateway's own, such as the dashboard's."""


def serve(config: Config, events: Events, mount: Mount = lambda gateway: RouteTable()) -> None:
    """Serve until SIGTERM or SIGINT; a second signal ends the process at once.

    ConfigError for an address that cannot be had or a configuration that cannot be, ModelError for a model that cannot
    be served, EngineUnavailable where the engine does not start.
    """
    import uvloop

    log_to_stderr(config.log)
    # When all is done the process waits for its threads, of which one may wait for a database that hangs.
    last = threading.Timer(_LAST_S, _end)
    last.daemon = True
    try:
        uvloop.run(_serve(config, events, mount, last.start))
    except BaseException:
        # The caller says what is wrong, and may go on.
        last.cancel()
        raise


async def _serve(config: Config, events: Events, mount: Mount, done: Callable[[], None]) -> None:
    from radixa.models.prepare import check_name

    if config.engine.enabled:
        check_name(config.engine.model)
    elif config.server.sandbox:
        raise ConfigError(
            "server.sandbox: the embedded engine is to answer, and engine.enabled is false: leave one out"
        )
    address = take(config.server.host, config.server.port, auth=config.server.auth)
    with address.listener:
        store = open_store(config.store)
        try:
            await _serve_from(store, address, config, events, mount)
        finally:
            done()
            store.close()


async def _serve_from(store: SqlStore, address: Address, config: Config, events: Events, mount: Mount) -> None:
    owner = Owner(store.engine)
    try:
        keys, secret = _keys(store, config, events)
        gateway = Gateway(config, store, keys, paths().data, upstreams(config.providers, os.environ))
        try:
            await gateway.start()
            await _serve_with(gateway, address, secret, events, mount)
        finally:
            await gateway.close()
    finally:
        owner.close()


async def _serve_with(gateway: Gateway, address: Address, secret: str | None, events: Events, mount: Mount) -> None:
    config = gateway.config
    connections = connections_for(config.server.max_connections, raise_file_limit())
    if connections < config.server.max_connections:
        events.warning(
            f"server.max_connections is {config.server.max_connections}, but this process may open too few files for "
            f"that: it takes {connections}"
        )
    telemetry = telemetry_for(config.telemetry)
    app = App(gateway, telemetry, access_log(config.log), mount(gateway))
    stop = _stop_signal(events.stopping)
    server = HttpServer(app, address.listener, config.server, connections)
    stopped = asyncio.create_task(stop.wait())
    starting = asyncio.create_task(_start(gateway, events))
    # What is there by now stays: the collector need not look at it again, nor after every few requests at what is new.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    try:
        await server.start()
        events.listening(address.url, secret)
        await asyncio.wait({stopped, starting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            events.ready(starting.result())
            await stopped
    finally:
        stopped.cancel()
        starting.cancel()
        await app.drain(config.server.grace_s)
        await server.stop(_LEAVING_S)
        await asyncio.gather(starting, stopped, return_exceptions=True)
        await asyncio.to_thread(telemetry.close)


async def _start(gateway: Gateway, events: Events) -> str:
    """Prepare the model, start the engine and load the tokenizer beside it; then requests can be answered.

    The model's name; empty where only upstreams answer.
    """
    if not gateway.config.engine.enabled:
        return ""
    from radixa.engine.client import start_engine
    from radixa.models.chat_template import load_chat_template
    from radixa.models.prepare import prepare
    from radixa.models.tokenizer import load_tokenizer

    name = gateway.config.engine.model
    folder = await _in_thread(lambda: prepare(name, progress=events.progress))
    events.progress("Starting the engine", 0, 0)
    starting = asyncio.create_task(start_engine(engine_settings(gateway.config, folder)))
    try:
        tokenizer = await _in_thread(lambda: load_tokenizer(folder.path))
        template = await _in_thread(lambda: load_chat_template(folder.path))
        engine = await starting
    except BaseException:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        raise
    gateway.attach(LocalProvider(folder.name, engine, tokenizer, template))
    return folder.name


def engine_settings(config: Config, folder: ModelFolder) -> EngineSettings:
    """What the engine process is told."""
    engine, cache = config.engine, config.cache
    return EngineSettings(
        model=str(folder.path),
        dtype=engine.dtype,
        device=engine.device,
        kv_tokens=engine.kv_tokens,
        kv_bytes=engine.kv_bytes,
        page_size=engine.page_size,
        cache=cache.mode,
        eviction=cache.eviction,
        retention=cache.retention,
        host_bytes=cache.host_bytes,
        disk=(cache.disk_folder or str(paths().cache / "kv")) if cache.disk else "",
        disk_bytes=cache.disk_bytes,
        disk_bandwidth=cache.disk_bandwidth,
        secrets=str(paths().data),
        events=_events(cache),
        attention=engine.attention,
        attention_kernels=engine.attention_kernels,
        max_running=engine.max_running,
        max_waiting=engine.max_waiting,
        step_tokens=engine.step_tokens,
        max_overtakes=engine.max_overtakes,
        threads=engine.threads,
    )


def _events(cache: CacheConfig) -> EventSettings:
    """Namespaces are told by tags that only who has the installation's secret can compute."""
    if not cache.events:
        return EventSettings()
    return EventSettings(
        enable_kv_cache_events=True,
        endpoint=cache.events,
        replay_endpoint=cache.events_replay or None,
        layout=cache.events_layout,
        namespace_key=installation_secret(paths().data),
    )


def _keys(store: SqlStore, config: Config, events: Events) -> tuple[KeyRing, str | None]:
    """The key ring, and the first key's secret if it was just made. Without keys everyone is the first account."""
    if config.server.auth:
        with one_at_a_time(store.engine):
            secret = ensure_first_key(store)
        if warning := ignored_first_key(store):
            events.warning(warning)
        return KeyRing(store), secret
    account = ensure_first_account(store)
    return KeyRing(store, anyone=Identity(account.id, key_id="", admin=True)), None


def _stop_signal(stopping: Callable[[], None]) -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(1)  # The engine's process ends with ours.
        stop.set()
        stopping()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop


def _end() -> None:
    log.error("threads still wait, for the database or a server upstream, and are left; no row of the ledger is lost")
    logging.shutdown()
    os._exit(1)


async def _in_thread(work: Callable[[], T]) -> T:
    """The result of `work`, done in a thread that does not keep the process alive: a download may take its time."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # None is a T where there was no error

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - raised again where the result is awaited
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, result, failure)

    threading.Thread(target=run, daemon=True, name="prepare").start()
    return await done
