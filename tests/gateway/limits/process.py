"""One gateway's limiter in a process of its own: `process.py URL COUNT`.

It prints `ready`, waits for a line, asks for COUNT reservations at once, prints how many it got, and holds them until
it is killed or reads another line.
"""

from __future__ import annotations

import asyncio
import sys

from radixa.core.config import StoreConfig
from radixa.core.errors import QuotaExceeded, RateLimited
from radixa.gateway.limits.base import Reservation
from radixa.gateway.limits.shared import SharedLimiter
from radixa.gateway.limits.spending import Spending
from radixa.store.sql import open_store
from tests.gateway.limits.conftest import wanted

REQUEST = wanted(rpm=10, concurrency=100, cost=10, allowance=1000)
LAPSE_S = 1.0


async def line() -> None:
    await asyncio.to_thread(sys.stdin.readline)


async def run(url: str, count: int) -> None:
    store = open_store(StoreConfig(url=url))
    limiter = SharedLimiter(store.engine, Spending(lambda account: 0, lambda key, since: 0), LAPSE_S)
    await limiter.start()
    print("ready", flush=True)
    await line()
    found = await asyncio.gather(*(limiter.reserve(REQUEST) for _ in range(count)), return_exceptions=True)
    assert all(isinstance(one, (Reservation, RateLimited, QuotaExceeded)) for one in found), found
    print(sum(isinstance(one, Reservation) for one in found), flush=True)
    await line()
    await limiter.close()
    store.close()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2])))
