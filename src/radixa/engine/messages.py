"""What travels between a client and its engine, in either direction: tagged msgspec structs, as MessagePack."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from radixa.core.base import Explanation
from radixa.engine.base import (
    Changes,
    EngineInfo,
    EngineOutput,
    EngineRequest,
    EngineStats,
    Fault,
    Flushed,
    TreePage,
    TreeQuery,
)
from radixa.radix import Keep, NodeView


class Submit(msgspec.Struct, frozen=True, tag=True):
    request: EngineRequest


class Abort(msgspec.Struct, frozen=True, tag=True):
    request_id: str


class AskStats(msgspec.Struct, frozen=True, tag=True):
    """For `EngineStats`."""


class AskExplain(msgspec.Struct, frozen=True, tag=True):
    """For an `Explained`."""

    token_ids: bytes
    namespace: str
    read: bool


class AskFlush(msgspec.Struct, frozen=True, tag=True):
    """For a `Flushed`, once everything is dropped."""

    namespace: str | None
    session: str | None
    prefix: bytes | None


class AskChanges(msgspec.Struct, frozen=True, tag=True):
    """For `Changes`."""


class AskNode(msgspec.Struct, frozen=True, tag=True):
    """For a `NodePath`, once the node is found; with `keeping` its retention is set to `keep` then."""

    node: int
    namespace: str | None
    keeping: bool = False
    keep: Keep | None = None


class NodePath(msgspec.Struct, frozen=True, tag=True):
    """A node after those above it."""

    nodes: list[NodeView]


class Explained(msgspec.Struct, frozen=True, tag=True):
    explanation: Explanation


Question = AskStats | TreeQuery | AskExplain | AskFlush | AskChanges | AskNode
Result = EngineStats | TreePage | Explained | Flushed | Changes | NodePath


class Ask(msgspec.Struct, frozen=True, tag=True):
    """A question to the engine between two steps; its `Answer` carries the same id."""

    id: int
    question: Question


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
    """What the question with that id came to: exactly one of the two."""

    id: int
    result: Result | None = None
    fault: Fault | None = None


ToEngine = Submit | Abort | Ask | Stop
FromEngine = Ready | Failed | Outputs | Answer

encode = msgspec.msgpack.Encoder().encode
decode_to_engine: Callable[[bytes], ToEngine] = msgspec.msgpack.Decoder(ToEngine).decode
decode_from_engine: Callable[[bytes], FromEngine] = msgspec.msgpack.Decoder(FromEngine).decode
