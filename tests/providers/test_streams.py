"""Merged streams: everything comes, in each stream's own order, and closing reaches every source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from radixa.providers.streams import closing, merged


class Source:
    """Counts to `items`, then fails if it should; remembers how it ended."""

    def __init__(self, items: int, *, fails: bool = False) -> None:
        self.items = items
        self.fails = fails
        self.closed = False

    async def stream(self, name: str) -> AsyncIterator[tuple[str, int]]:
        try:
            for i in range(self.items):
                await asyncio.sleep(0)
                yield name, i
            if self.fails:
                raise ValueError(name)
        finally:
            self.closed = True


@pytest.mark.parametrize("lengths", [[3], [0], [2, 5], [0, 1, 4, 0]])
async def test_everything_comes_in_order(lengths: list[int]) -> None:
    sources = [Source(length) for length in lengths]
    found = [item async for item in merged([s.stream(str(i)) for i, s in enumerate(sources)])]
    for number, length in enumerate(lengths):
        assert [i for name, i in found if name == str(number)] == list(range(length))
    assert len(found) == sum(lengths)
    assert all(source.closed for source in sources)


async def test_streams_take_turns() -> None:
    found = [name async for name, _ in merged([Source(3).stream("a"), Source(3).stream("b")])]
    assert found != sorted(found)


@pytest.mark.parametrize("count", [1, 3])
async def test_closing_early_closes_every_source(count: int) -> None:
    sources = [Source(1000) for _ in range(count)]
    async with closing(merged([source.stream(str(i)) for i, source in enumerate(sources)])) as items:
        await anext(items)
    assert all(source.closed for source in sources)


@pytest.mark.parametrize("others", [0, 2])
async def test_one_that_fails_ends_them_all(others: int) -> None:
    sources = [Source(1, fails=True), *(Source(1000) for _ in range(others))]
    with pytest.raises(ValueError, match="0"):
        _ = [item async for item in merged([source.stream(str(i)) for i, source in enumerate(sources)])]
    assert all(source.closed for source in sources)


async def test_cancelling_the_reader_closes_every_source() -> None:
    sources = [Source(10**9) for _ in range(2)]

    async def read() -> None:
        async with closing(merged([source.stream(str(i)) for i, source in enumerate(sources)])) as items:
            async for _ in items:
                await asyncio.sleep(0)

    task = asyncio.create_task(read())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(source.closed for source in sources)
