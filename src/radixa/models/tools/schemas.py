"""JSON schemas as llguidance takes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

GUIDANCE = "x-guidance"
"""The keyword by which a schema tells llguidance how its JSON is written."""

LAYOUT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""One line, as most models write JSON: a weak one that may put white space anywhere puts nothing else."""

_LEAP = r"(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29"
_DAYS = r"\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_DATE = f"(?:{_DAYS}|{_LEAP})"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
_FORMS = {"date": f"^{_DATE}$", "time": f"^{_TIME}$", "date-time": f"^{_DATE}T{_TIME}$"}
"""Days that there are, and no leap seconds: llguidance itself takes 30 February and any second 60."""

_ONE = ("items", "additionalProperties", "contains", "not")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMES = ("properties", "patternProperties", "$defs", "definitions")


def guided(schema: Any, *, lenient: bool) -> dict[str, Any]:
    """The schema with how its JSON is to be written, which it may itself say otherwise."""
    if not isinstance(schema, dict):
        schema = {} if schema is True else {"anyOf": []}
    own = schema.get(GUIDANCE)
    # A draft's name says nothing here, and one that llguidance does not know it would want to fetch.
    kept = {key: value for key, value in _dated(schema).items() if key not in ("$schema", "$id")}
    return kept | {GUIDANCE: LAYOUT | ({"lenient": True} if lenient else {}) | (own if isinstance(own, dict) else {})}


def schema_rule(schema: Any, *, lenient: bool) -> str:
    """JSON of a schema, as a part of a rule of Lark."""
    return f"%json {json.dumps(guided(schema, lenient=lenient), ensure_ascii=False)}"


def below(schema: dict[str, Any]) -> list[tuple[str, Any]]:
    """The schemas right below one, and their places in it."""
    found = [(key, schema[key]) for key in _ONE if isinstance(schema.get(key), dict)]
    for key in _LISTS:
        if isinstance(schema.get(key), list):
            found += [(f"{key}[{i}]", value) for i, value in enumerate(schema[key])]
    for key in _NAMES:
        if isinstance(schema.get(key), dict):
            found += [(f"{key}.{name}", value) for name, value in schema[key].items()]
    return found


def _dated(schema: Any) -> Any:
    """The schema with patterns for dates and times, wherever it has no pattern of its own."""
    if not isinstance(schema, dict):
        return schema
    found = _with_parts(schema, _dated)
    form = found.get("format")
    if isinstance(form, str) and form in _FORMS and "pattern" not in found:
        found["pattern"] = _FORMS[form]
    return found


def _with_parts(schema: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """A copy whose schemas right below are changed."""
    found = dict(schema)
    for key, value in schema.items():
        if key in _ONE:
            found[key] = change(value)
        elif key in _LISTS and isinstance(value, list):
            found[key] = [change(part) for part in value]
        elif key in _NAMES and isinstance(value, dict):
            found[key] = {name: change(part) for name, part in value.items()}
    return found
