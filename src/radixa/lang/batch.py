"""Many programs at once: threads, results in order, a bar that says how far it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal

Work = Callable[[], Any]

LEAST_THREADS = 96
THREADS_A_CORE = 16
"""Programs mostly wait for the back end, so there are many more of them than cores."""


def run_all(work: Sequence[Work], num_threads: int | Literal["auto"], progress_bar: bool) -> Iterator[Any]:
    """The results in order, each as soon as it and those before it are there.

    The work starts at once. What has not started is dropped where the caller stops reading, or one of them raises.
    """
    most = max(LEAST_THREADS, THREADS_A_CORE * (os.cpu_count() or 1)) if num_threads == "auto" else num_threads
    pool = ThreadPoolExecutor(max(1, min(most, len(work))), thread_name_prefix="radixa-batch")
    return _results(pool, [pool.submit(one) for one in work], progress_bar)


def _results(pool: ThreadPoolExecutor, futures: list[Future[Any]], progress_bar: bool) -> Iterator[Any]:
    try:
        with _bar(len(futures)) if progress_bar else _no_bar() as step:
            for future in futures:
                future.add_done_callback(lambda _: step())
            for future in futures:
                yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _no_bar() -> Iterator[Callable[[], None]]:
    yield lambda: None


@contextmanager
def _bar(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr; calling what it gives moves it by one, from any thread."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task("programs", total=total)
        yield lambda: bars.advance(task)
