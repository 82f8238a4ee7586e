"""What a gateway keeps of its requests does not grow with them."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from pathlib import Path

from radixa.core.config import Config, EngineConfig, ModelEntry, Prices, ProviderConfig
from radixa.gateway.app import App
from radixa.gateway.auth import KeyRing
from radixa.gateway.state import Gateway
from radixa.providers.registry import upstreams
from radixa.store.first import ensure_first_account
from radixa.store.sql import SqlStore
from tests.garbage import left_to_the_collector
from tests.gateway.fakes import Client
from tests.upstreams.openai import OpenAIStandIn

MODELS = (ModelEntry("house", "one", prices=(Prices(input=2.0, output=8.0),)),)


def ours() -> Counter[str]:
    """Objects of this package's types."""
    gc.collect()
    names = (f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
    return Counter(name for name in names if name.startswith("radixa."))


async def test_more_requests_leave_no_more_objects(store: SqlStore, tmp_path: Path) -> None:
    stand_in = OpenAIStandIn("openai")
    _, secret = store.create_key(ensure_first_account(store).id, "first", admin=True)

    async def ask(name: str, number: int) -> None:
        """Each request with a session, a text and a way to be answered of its own."""
        for at in range(number):
            text = [{"role": "user", "content": f"{name} {at}"}]
            body = {"model": "house", "messages": text, "session_id": f"{name}-{at}", "stream": at % 2 == 0}
            assert (await client.post("/v1/chat/completions", body)).status == 200
        assert await asyncio.to_thread(gateway.ledger.flush, 20.0)

    async with stand_in.running() as url:
        providers = {"one": ProviderConfig("openai-compatible", f"{url}/v1", retries=0)}
        config = Config(engine=EngineConfig(enabled=False), models=MODELS, providers=providers)
        gateway = Gateway(config, store, KeyRing(store), tmp_path, upstreams(providers, {}))
        await gateway.start()
        client = Client(App(gateway), secret)
        await ask("first", 20)
        before = ours()
        with left_to_the_collector() as left:
            await ask("second", 60)
        more = ours() - before
        await gateway.close()
    assert {name: number for name, number in more.items() if number >= 30} == {}
    held = [one for one in left if type(one).__module__.startswith("radixa.gateway")]
    assert held == []
