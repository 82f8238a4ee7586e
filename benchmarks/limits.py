"""What keys and limits cost a request in CPU time, with every limit there is set: `python benchmarks/limits.py`."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from radixa.core.config import StoreConfig
from radixa.gateway.auth import KeyRing
from radixa.gateway.limits.base import Wanted
from radixa.gateway.limits.local import LocalLimiter
from radixa.gateway.limits.spending import Spending
from radixa.store.base import Budgets, KeyTerms, Limits
from radixa.store.sql import SqlStore, open_store

REQUESTS = 20_000
LIMITS = Limits(10**9, 10**12, 1000)


async def measure(store: SqlStore) -> None:
    account = store.create_account("bench", limits=LIMITS, credit_limit=10**15)
    terms = KeyTerms(10**11, ("gpt-4.1",), LIMITS, Budgets(10**15, 10**16, 10**17))
    _, secret = store.create_key(account.id, "bench", terms=terms)
    keys = KeyRing(store)
    limiter = LocalLimiter(store.engine, Spending(lambda account: 0, lambda key, since: 0))
    await limiter.start()
    header = f"Bearer {secret}".encode()

    async def request() -> None:
        identity = await keys.identify(header)
        identity.check_model("gpt-4.1")
        reservation = await limiter.reserve(Wanted(identity, "gpt-4.1", LIMITS, 700, 350_000))
        reservation.headers()
        reservation.settle(400, 200_000)

    await request()
    for _ in range(3):
        begin = time.process_time()
        for _ in range(REQUESTS):
            await request()
        print(f"{(time.process_time() - begin) / REQUESTS * 1e6:.1f} us a request")
    await limiter.close()
    keys.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(StoreConfig(), Path(folder) / "radixa.db")
        asyncio.run(measure(store))
        store.close()


if __name__ == "__main__":
    main()
