"""Answers as types, for the server's description of itself.

Those that come out of the database or are summed up are dictionaries where they are made, and described here field by
field; `tests/gateway/test_answers.py` holds each real answer against its description, in both directions.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")


class Listed(msgspec.Struct, Generic[T], frozen=True):
    object: Literal["list"]
    data: list[T]


class Paged(Listed[T], Generic[T], frozen=True):
    has_more: bool
    """Whether there is another page after this one."""


class HealthShape(msgspec.Struct, frozen=True):
    status: Literal["ok"]
