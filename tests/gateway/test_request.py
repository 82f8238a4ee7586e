"""A request's name, and what is left of it when it is over."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from radixa.gateway import request as module
from radixa.gateway.request import Request


async def never() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError("the event is never set")


def made() -> Request:
    return Request({"method": "GET", "path": "/", "headers": []}, never, 1.0)


@pytest.fixture
async def without_collector() -> AsyncIterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_the_id_of_a_later_request_is_greater() -> None:
    names = []
    for _ in range(5):
        names.append(made().id)
        await asyncio.sleep(0.002)
    assert names == sorted(names)
    assert {len(name) for name in names} == {36}


@pytest.mark.parametrize("seconds", [0.0, 60.0])
async def test_a_request_that_was_watched_is_gone_without_the_garbage_collector(
    without_collector: None, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Whether it was over before its client was waited for, or after."""
    monkeypatch.setattr(module, "_WATCH_AFTER_S", seconds)
    request = made()
    gone = weakref.ref(request)
    request.watch()
    for _ in range(5):
        await asyncio.sleep(0)
    watchers = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert len(watchers) == (1 if seconds == 0 else 0)
    await request.close()
    await asyncio.gather(*watchers, return_exceptions=True)
    del request, watchers
    await asyncio.sleep(0)
    assert gone() is None
