"""Traces that `radixa replay` reads (CONTRACT 6), found out by their first line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from radixa.core.errors import TraceError
from radixa.core.tokens import count, pack

BLOCK_TOKENS = 512
"""Tokens a block of Mooncake's traces."""

TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Line = tuple[int, bytes]
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a trace, as paths of units: token ids, or numbers of blocks."""

    prompt: bytes
    output: bytes
    namespace: str
    prompt_tokens: int
    time: float | None = None
    """Seconds; None where the trace does not say."""
    session: str = ""
    ttl: float | None = None
    """Seconds."""
    priority: bool = False
    roles: tuple[tuple[int, str], ...] = ()
    """Where each message ends in the prompt, in tokens, and whose it is."""


@dataclass(frozen=True, slots=True)
class Trace:
    unit: Literal["token", "block"]
    requests: tuple[Request, ...]
    block_tokens: int = BLOCK_TOKENS
    """Tokens a block, where the unit is one."""

    @property
    def prompt_tokens(self) -> int:
        return sum(request.prompt_tokens for request in self.requests)

    @property
    def prompt_units(self) -> int:
        return sum(count(request.prompt) for request in self.requests)

    @property
    def timed(self) -> bool:
        """Whether every request says when it came."""
        return all(request.time is not None for request in self.requests)


class TokenRow(msgspec.Struct, frozen=True):
    """What a token trace says of a request. Further fields are allowed and passed over."""

    prompt: list[TokenId]
    output: list[TokenId] = []
    namespace: str = ""
    session: str | None = None
    ttl: Annotated[float, Meta(gt=0)] | None = None
    priority: float = 0
    timestamp: float | None = None
    spans: list[tuple[Annotated[int, Meta(ge=0)], str]] = []


class BlockRow(msgspec.Struct, frozen=True):
    """Mooncake's. A block's id stands for the whole prefix up to it."""

    input_length: Annotated[int, Meta(ge=0)]
    hash_ids: list[int]
    timestamp: float | None = None
    """Milliseconds."""


def read(path: Path) -> Trace:
    """The trace in `path`. TraceError names the line and what was expected."""
    lines = _lines(path)
    number, first = next(lines, (0, b""))
    if not number:
        raise TraceError(f"{path} holds no requests")
    fields = _decode(msgspec.json.Decoder(dict[str, Any]), path, number, first)
    lines = chain([(number, first)], lines)
    if "prompt" in fields:
        return Trace("token", tuple(_tokens(path, lines)))
    if "hash_ids" in fields:
        return Trace("block", tuple(_blocks(path, lines)))
    raise TraceError(
        f'{path}, line {number}: neither a token trace ({{"prompt": [ids], "output": [ids]}}) nor a block trace '
        f'({{"input_length": n, "hash_ids": [ids]}}); its fields are {", ".join(fields) or "none"}'
    )


def _tokens(path: Path, lines: Iterable[Line]) -> Iterator[Request]:
    decoder = msgspec.json.Decoder(TokenRow)
    for number, line in lines:
        row = _decode(decoder, path, number, line)
        yield Request(
            pack(row.prompt),
            pack(row.output),
            row.namespace,
            len(row.prompt),
            time=row.timestamp,
            session=row.session or "",
            ttl=row.ttl,
            priority=row.priority > 0,
            roles=tuple(row.spans),
        )


def _blocks(path: Path, lines: Iterable[Line]) -> Iterator[Request]:
    decoder = msgspec.json.Decoder(BlockRow)
    numbers: dict[int, int] = {}
    for number, line in lines:
        row = _decode(decoder, path, number, line)
        # Ids may be hashes of any size; the tree wants int32.
        blocks = [numbers.setdefault(block, len(numbers)) for block in row.hash_ids]
        time = None if row.timestamp is None else row.timestamp / 1000
        yield Request(pack(blocks), b"", "", row.input_length, time=time)


def _lines(path: Path) -> Iterator[Line]:
    """The lines that are not blank, numbered from 1."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise TraceError(f"cannot read the trace {path}: {getattr(error, 'strerror', None) or error}") from error


def _decode(decoder: msgspec.json.Decoder[Row], path: Path, number: int, line: bytes) -> Row:
    try:
        return decoder.decode(line)
    except msgspec.DecodeError as error:
        raise TraceError(f"{path}, line {number}: {error}") from error
