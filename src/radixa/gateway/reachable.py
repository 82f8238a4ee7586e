"""Whether the database can be reached: asked beside the loop, at most once a second, and in bounded time."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from math import inf

from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from radixa.store.database import LIBPQ, reason

log = logging.getLogger("radixa.gateway")

EVERY_S = 1.0
"""An answer holds so long."""
PATIENCE_S = 2.0
"""A database that takes longer does not answer."""
_LOST, _THREADS = 5, 4
"""An answer that has not come after so many times the patience is given up, while so few threads wait for one."""
_CONNECT_S = 2
"""The least that libpq takes as a limit on connecting."""
_QUESTION = text("SELECT count(*) FROM alembic_version")


class Reachable:
    """Of one database. It is asked over a connection of its own: those of the pool may be in use, or have ended."""

    def __init__(
        self,
        engine: Engine,
        every_s: float = EVERY_S,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = _fresh(engine)
        self._every_s = every_s
        self._patience_s = patience_s
        self._clock = clock
        self._asked = -inf
        self._asking: asyncio.Future[str] | None = None
        """What is wrong, empty where nothing is. It may outlast the patience with it, and is asked again when it came,
        or is given up."""
        self._threads = 0
        """That wait for an answer, lost ones included."""
        self._wrong = ""

    async def __call__(self) -> bool:
        """Whether it answers now, or did within the last second."""
        age = self._clock() - self._asked
        free = self._asking is None or (age >= _LOST * self._patience_s and self._threads < _THREADS)
        if free and age >= self._every_s:
            self._ask()
        if self._asking is not None:
            left = self._asked + self._patience_s - self._clock()
            done, _ = await asyncio.wait({self._asking}, timeout=max(0.0, left))
            if not done:
                self._note(f"it did not answer within {self._patience_s:g} seconds")
        return not self._wrong

    def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        asking: asyncio.Future[str] = loop.create_future()

        def finish(wrong: str) -> None:
            self._threads -= 1
            if self._asking is asking:
                self._asking = None
                self._note(wrong)
            asking.set_result(wrong)

        def look() -> None:
            wrong = "the question failed"
            try:
                with self._engine.connect() as connection:
                    connection.execute(_QUESTION)
                wrong = ""
            except SQLAlchemyError as error:
                wrong = reason(error)
            finally:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(finish, wrong)

        # Not one of the loop's own threads, which requests need and the end of the process waits for.
        threading.Thread(target=look, daemon=True, name="reachable").start()
        self._asking, self._asked = asking, self._clock()
        self._threads += 1

    def _note(self, wrong: str) -> None:
        if wrong and not self._wrong:
            log.warning("the database does not answer: %s", wrong)
        elif self._wrong and not wrong:
            log.info("the database answers again")
        self._wrong = wrong


def _fresh(engine: Engine) -> Engine:
    """Asked over a new connection each time, a server's with limits; a database in memory has only the one."""
    if engine.url.database in (None, "", ":memory:") and engine.dialect.name == "sqlite":
        return engine
    limits = {
        "connect_timeout": _CONNECT_S,
        "tcp_user_timeout": _CONNECT_S * 1000,
        # For a host that is gone while its answer is waited for.
        "keepalives_idle": _CONNECT_S,
        "keepalives_interval": 1,
        "keepalives_count": 2,
    }
    return create_engine(engine.url, poolclass=NullPool, connect_args=limits if engine.dialect.driver in LIBPQ else {})
