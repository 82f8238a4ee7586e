"""A provider over a stand-in for Gemini, and requests to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from radixa.core.config import ProviderConfig
from radixa.providers.gemini.provider import GeminiProvider
from tests.providers import asking
from tests.upstreams.gemini import KEY, GeminiStandIn

MODEL = "gemini-2.5-flash"


@pytest.fixture
def upstream() -> GeminiStandIn:
    return GeminiStandIn()


@pytest.fixture
async def gemini(upstream: GeminiStandIn) -> AsyncIterator[GeminiProvider]:
    async with upstream.running() as url:
        provider = GeminiProvider("gemini", config(url), KEY)
        yield provider
        await provider.close()


def config(url: str, **changes: Any) -> ProviderConfig:
    return ProviderConfig("gemini", f"{url}/v1beta", **({"retries": 0} | changes))


asked = partial(asking.asked, model=MODEL)
