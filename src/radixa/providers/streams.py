"""Streams of chunks: closing them for certain, and several as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TypeVar, cast

T = TypeVar("T")

_AHEAD = 16
"""Items of several streams that may wait to be taken."""


def closing(stream: AsyncIterator[T]) -> aclosing[AsyncGenerator[T, None]]:
    """`async with closing(stream) as items`: closed at the end of the block, whatever ends it.

    Our protocols say `AsyncIterator` and ask for async generators, since closing one is how work is cancelled.
    """
    return aclosing(cast("AsyncGenerator[T, None]", stream))


def merged(streams: Sequence[AsyncIterator[T]]) -> AsyncIterator[T]:
    """Items of all `streams` as they come, each stream's in its own order. One that fails closes them all."""
    return streams[0] if len(streams) == 1 else _merged(streams)


async def _merged(streams: Sequence[AsyncIterator[T]]) -> AsyncIterator[T]:
    # Bounded, so that a slow reader holds up the streams and no memory.
    items: asyncio.Queue[T | Exception | None] = asyncio.Queue(_AHEAD)
    pumps = [asyncio.create_task(_pump(stream, items)) for stream in streams]
    running = len(pumps)
    try:
        while running:
            found = await items.get()
            if isinstance(found, Exception):
                raise found
            if found is None:
                running -= 1
            else:
                yield found
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(stream: AsyncIterator[T], items: asyncio.Queue[T | Exception | None]) -> None:
    """Move a stream into the queue; None is its end."""
    try:
        async with closing(stream) as found:
            async for item in found:
                await items.put(item)
    except Exception as error:  # noqa: BLE001 - handed to the reader, who raises it
        await items.put(error)
    else:
        await items.put(None)
