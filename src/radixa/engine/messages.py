"""What travels between a client and its engine, in either direction: tagged msgspec structs, as MessagePack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from radixa.engine.base import EngineInfo, EngineOutput, EngineRequest, EngineStats, Fault, TreeNode

Question = Literal["stats", "tree", "flush"]


class Submit(msgspec.Struct, frozen=True, tag=True):
    request: EngineRequest


class Abort(msgspec.Struct, frozen=True, tag=True):
    request_id: str


class Ask(msgspec.Struct, frozen=True, tag=True):
    """A question to the engine between two steps; its `Answer` carries the same id."""

    id: int
    what: Question
    namespace: str | None = None
    limit: int = 0


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End the loop. Running requests are dropped: whoever drains waits for them first."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    info: EngineInfo


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The engine could not be loaded."""

    fault: Fault


class Outputs(msgspec.Struct, frozen=True, tag=True):
    """Everything one step produced."""

    outputs: list[EngineOutput]


class Answer(msgspec.Struct, frozen=True, tag=True):
    id: int
    stats: EngineStats | None = None
    nodes: list[TreeNode] | None = None
    dropped: int | None = None


ToEngine = Submit | Abort | Ask | Stop
FromEngine = Ready | Failed | Outputs | Answer

encode = msgspec.msgpack.Encoder().encode
decode_to_engine: Callable[[bytes], ToEngine] = msgspec.msgpack.Decoder(ToEngine).decode
decode_from_engine: Callable[[bytes], FromEngine] = msgspec.msgpack.Decoder(FromEngine).decode
