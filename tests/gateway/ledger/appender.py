"""A process that appends rows and prints each one's id once it is appended: `appender.py HOME PREFIX [BYTES]`.

With BYTES no file may grow beyond them until the first append is refused, which is printed as `refused`.
"""

from __future__ import annotations

import itertools
import os
import resource
import sys
import time
from pathlib import Path

from radixa.core.config import StoreConfig
from radixa.core.errors import LedgerUnavailable
from radixa.gateway.ledger.book import Ledger
from radixa.store.ledger.sql import SqlLedger
from radixa.store.sql import open_store
from tests.store.ledger.rows import row


def main(home: Path, prefix: str, least_bytes: int | None) -> None:
    store = open_store(StoreConfig(), home / "radixa.db")
    # Hardly a pause between two batches, so that a death often comes in the midst of one.
    ledger = Ledger(SqlLedger(store.engine), home / "ledger", move_s=0.001)
    ledger.start()
    tell("started")
    if least_bytes is not None:
        fill(ledger, prefix, least_bytes)
        ledger.close(20.0)
        store.close()
        return
    for number in itertools.count():
        ledger.append(row(f"{prefix}_{number}", time.time(), session_id=prefix, model=f"model {number % 3}"))
        tell(f"{prefix}_{number}")


def fill(ledger: Ledger, prefix: str, least_bytes: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (least_bytes, hard))
    number = 0
    try:
        for number in range(100_000):
            ledger.append(row(f"{prefix}_{number}"))
            tell(f"{prefix}_{number}")
    except LedgerUnavailable as error:
        tell(f"refused {error.status} {error.message}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    ledger.append(row(f"{prefix}_{number}"))
    tell(f"{prefix}_{number}")


def tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
