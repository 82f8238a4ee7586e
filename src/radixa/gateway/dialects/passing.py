"""Events with names, and those that go out as the provider wrote them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection

from radixa.core.base import GenerateChunk
from radixa.core.errors import RadixaError


def event(name: str, data: bytes) -> bytes:
    """One server-sent event with a name."""
    return b"event: " + name.encode() + b"\n" + unnamed(data)


def unnamed(data: bytes) -> bytes:
    """One server-sent event. JSON has no line ends but between its values, where a space will do."""
    return b"data: " + data.replace(b"\n", b" ") + b"\n\n"


async def passed_on(
    first: GenerateChunk,
    rest: AsyncIterator[GenerateChunk],
    last: Collection[str],
    with_usage: Callable[[bytes], bytes],
) -> AsyncIterator[bytes]:
    """Each chunk's `raw` as an event. Those named in `last` carry the usage, and get ours.

    One of them waits for what comes after it, since the counts may be complete only then.
    """
    held: GenerateChunk | None = first if first.event in last else None
    if held is None:
        yield event(first.event, first.raw)
    try:
        async for chunk in rest:
            if not chunk.raw:
                continue
            pending = b"" if held is None else event(held.event, with_usage(held.raw))
            held = chunk if chunk.event in last else None
            if held is None:
                pending += event(chunk.event, chunk.raw)
            if pending:
                yield pending
    except RadixaError:
        if held is not None:
            yield event(held.event, with_usage(held.raw))
        raise
    if held is not None:
        yield event(held.event, with_usage(held.raw))
