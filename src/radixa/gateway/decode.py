"""JSON bodies to typed structs, and what was wrong with them in OpenAI's words.

msgspec checks types and ranges while it parses, but its message names neither the value nor all that was allowed. So
when it refuses, the body is parsed once more without types and walked beside the type description: that costs nothing
while requests are well-formed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

from radixa.core.errors import InvalidRequest, shown
from radixa.gateway.values import check_values

T = TypeVar("T")

_AT = re.compile(r".* - at `(?:key in `)?\$(?P<path>.*?)`?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<field>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")

_LARGE_BYTES = 256 * 1024
_beside = ThreadPoolExecutor(1, thread_name_prefix="decode")
"""For bodies larger than that: one at a time, since decoding holds the interpreter's lock."""


async def decoded(body: bytes, work: Callable[[], T]) -> T:
    """`work`, which decodes `body`: beside the loop where that is large."""
    if len(body) <= _LARGE_BYTES:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_beside, work)


class BodyDecoder(Generic[T]):
    """Decodes JSON bodies to the struct `kind`. InvalidRequest names the field, what was expected and what came."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    async def read(self, body: bytes) -> T:
        """Decode `body`; a large one beside the loop, and only if it does not hold too many values."""
        if len(body) <= _LARGE_BYTES:
            return self(body)
        return await asyncio.get_running_loop().run_in_executor(_beside, self._large, body)

    def _large(self, body: bytes) -> T:
        check_values(body)
        return self(body)

    def __call__(self, body: bytes) -> T:
        try:
            return self._decode(body)
        except msgspec.ValidationError as error:
            raise _explain(str(error), self._kind, body) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _unreadable(f"{error}" if body.strip() else "the body is empty") from None
        except RecursionError:
            raise _unreadable("it is nested too deeply") from None


def _unreadable(reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"We could not parse the JSON body of your request: {shown(reason)}. Expected a JSON object.",
        code="invalid_json",
    )


_type_info = cache(inspect.type_info)


def _explain(message: str, kind: Any, body: bytes) -> InvalidRequest:
    found = _AT.match(message)
    path = found["path"] if found else ""
    text = message[: message.rindex(" - at `")] if found else message
    missing = re.match(r"Object missing required field `(.+)`", text)
    if missing:
        param = f"{path}.{missing[1]}".lstrip(".")
        return InvalidRequest(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    unknown = re.match(r"Object contains unknown field `(.*)`", text, re.DOTALL)
    if unknown:
        param = shown(f"{path}.{unknown[1]}".lstrip("."))
        known = ", ".join(_fields(path, _type_info(kind)))
        expected = f" Expected no other than {known}." if known else ""
        return InvalidRequest(f"Unknown parameter: '{param}'.{expected}", param=param, code="unknown_parameter")
    if not path:
        return _unreadable(text)
    param = shown(path.lstrip(".").replace("[...]", ""))
    explained = None
    try:
        explained = _walk(path, "", _type_info(kind), msgspec.json.decode(body))
    except msgspec.ValidationError:
        pass  # A number that no type can hold: msgspec's own words have to do.
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # What is wrong may come after the first wrong type, where msgspec stopped.
        return _unreadable(str(error))
    except RecursionError:
        return _unreadable("it is nested too deeply")
    return explained or InvalidRequest(
        f"Invalid value for '{param}': {shown(text)}.", param=param, code="invalid_value"
    )


def _walk(path: str, param: str, info: inspect.Type, value: Any) -> InvalidRequest | None:
    """Follow `path` into type and value together; None where the value is right after all."""
    step = _STEP.match(path)
    if step is None:
        return _complaint(param, info, value)
    rest = path[step.end() :]
    options = [option for option in _alternatives(info) if _fits(option, value)]
    if step["field"]:
        fields = [f for o in options if isinstance(o, inspect.StructType) for f in o.fields]
        for field in fields:
            if field.encode_name == step["field"] and isinstance(value, dict):
                return _walk(rest, f"{param}.{step['field']}".lstrip("."), field.type, value.get(step["field"]))
        return None
    if step["index"]:
        for option in options:
            if isinstance(option, inspect.ListType):
                index = int(step["index"])
                return _walk(rest, f"{param}[{index}]", option.item_type, value[index])
        return None
    # msgspec does not say which entry of a dict it refused: take the first that is wrong.
    entries = [(k, v, o) for o in options if isinstance(o, inspect.DictType) for k, v in value.items()]
    return next(filter(None, (_walk(rest, f"{param}.{shown(k)}", o.value_type, v) for k, v, o in entries)), None)


def _fields(path: str, info: inspect.Type) -> list[str]:
    """The fields that the objects at `path` have."""
    step = _STEP.match(path)
    options = _alternatives(info)
    if step is None:
        return [
            field.encode_name for option in options if isinstance(option, inspect.StructType) for field in option.fields
        ]
    rest = path[step.end() :]
    found: list[str] = []
    for option in options:
        if isinstance(option, inspect.StructType):
            inner = [field.type for field in option.fields if field.encode_name == step["field"]]
        elif isinstance(option, inspect.ListType):
            inner = [option.item_type]
        else:
            inner = [option.value_type] if isinstance(option, inspect.DictType) else []
        found += [name for kind in inner for name in _fields(rest, kind)]
    return found


def _complaint(param: str, info: inspect.Type, value: Any) -> InvalidRequest | None:
    options = _alternatives(info)
    fitting = [option for option in options if _fits(option, value)]
    if not fitting:
        wanted = " or ".join(dict.fromkeys(_expected(o) for o in options if not isinstance(o, inspect.NoneType)))
        return InvalidRequest(
            f"Invalid type for '{param}': expected {wanted}, but got {_got(value)} instead.",
            param=param,
            code="invalid_type",
        )
    return _out_of_range(param, fitting[0], value)


def _out_of_range(param: str, option: inspect.Type, value: Any) -> InvalidRequest | None:
    """The bound that `value`, of the right type, breaks."""
    text, code = "", ""
    match option:
        case inspect.IntType() | inspect.FloatType():
            kind = "integer" if isinstance(option, inspect.IntType) else "decimal"
            for bad, side, sign, bound in [
                (option.ge is not None and value < option.ge, "min", ">=", option.ge),
                (option.gt is not None and value <= option.gt, "min", ">", option.gt),
                (option.le is not None and value > option.le, "max", "<=", option.le),
            ]:
                if bad:
                    where = "below minimum" if side == "min" else "above maximum"
                    text = f"{kind} {where} value. Expected a value {sign} {bound:g}, but got {shown(value)} instead."
                    code = f"{kind}_{where.split()[0]}_{side}_value"
        case inspect.StrType() | inspect.ListType():
            kind = "string" if isinstance(option, inspect.StrType) else "array"
            a = "a" if kind == "string" else "an"
            if option.min_length is not None and len(value) < option.min_length:
                # Every minimum in our bodies is 1, so what is too short is empty.
                text = f"empty {kind}. Expected {a} {kind} with minimum length {option.min_length}, "
                text += f"but got an empty {kind} instead."
                code = f"empty_{kind}"
            elif option.max_length is not None and len(value) > option.max_length:
                text = f"{kind} too long. Expected {a} {kind} with maximum length {option.max_length}, "
                text += f"but got {a} {kind} with length {len(value)} instead."
                code = f"{kind}_above_max_length"
        case inspect.DictType():
            if option.max_length is not None and len(value) > option.max_length:
                text = f"object too large. Expected an object with at most {option.max_length} entries, "
                text += f"but got one with {len(value)} instead."
                code = "object_above_max_length"
        case inspect.LiteralType():
            if value not in option.values:
                allowed = ", ".join(f"'{v}'" for v in option.values)
                return InvalidRequest(
                    f"Invalid value for '{param}': '{shown(value)}'. Supported values are: {allowed}.",
                    param=param,
                    code="invalid_value",
                )
    return InvalidRequest(f"Invalid '{param}': {text}", param=param, code=code) if text else None


def _alternatives(info: inspect.Type) -> tuple[inspect.Type, ...]:
    options = info.types if isinstance(info, inspect.UnionType) else (info,)
    return tuple(o.type if isinstance(o, inspect.Metadata) else o for o in options)


def _fits(option: inspect.Type, value: Any) -> bool:
    """Whether `value`, parsed without types, is of the JSON type that `option` wants, whatever its range."""
    match option:
        case inspect.NoneType():
            return value is None
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.LiteralType():
            return isinstance(value, str)
        case inspect.ListType():
            return isinstance(value, list)
        case inspect.DictType() | inspect.StructType():
            return isinstance(value, dict)
    return True


def _expected(option: inspect.Type) -> str:
    match option:
        case inspect.BoolType():
            return "a boolean"
        case inspect.IntType():
            return "an integer"
        case inspect.FloatType():
            return "a decimal"
        case inspect.StrType():
            return "a string"
        case inspect.LiteralType():
            return "one of " + ", ".join(f"'{v}'" for v in option.values)
        case inspect.ListType():
            return "an array"
    return "an object"


def _got(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a decimal"
        case str():
            return "a string"
        case list():
            return "an array"
    return "an object"
