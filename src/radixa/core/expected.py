"""What a setting takes, in words: for the message about a value that it does not take."""

from __future__ import annotations

from typing import Any

from msgspec import inspect


def expected(hint: Any) -> str:
    """The values of the type `hint`, as they go behind "expected": `true or false`, `a whole number from 1 to 9`."""
    info = inspect.type_info(hint)
    match info:
        case inspect.LiteralType():
            *first, last = (f"'{value}'" for value in info.values)
            return f"{', '.join(first)} or {last}" if first else last
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number{_range(info)}"
        case inspect.FloatType():
            return f"a number{_range(info)}"
        case inspect.VarTupleType():
            return "a list of texts"
    return "a text"


def _range(info: inspect.IntType | inspect.FloatType) -> str:
    """Every bound is a whole number, so that none is written with an exponent."""
    low = f" above {info.gt:.0f}" if info.gt is not None else "" if info.ge is None else f" from {info.ge:.0f}"
    return low if info.le is None else f"{low} {'up to' if info.gt is not None else 'to'} {info.le:.0f}"
