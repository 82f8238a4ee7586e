"""What an answer must be, and what ends it: types, schemas, patterns."""

from __future__ import annotations

import json
import re
from typing import Any

from radixa.core.errors import InvalidRequest
from radixa.lang.base import Options

TYPES = {
    "int": r"-?(0|[1-9][0-9]{0,17})",
    "float": r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?",
    "bool": r"(True|False)",
    "str": r'"([^"\\\n\r\t\x00-\x1f]|\\["\\/bfnrt])*"',
}
"""What the answer of a `dtype` looks like."""


def type_name(dtype: type | str) -> str:
    """InvalidRequest for a type that no answer can have."""
    name = dtype if isinstance(dtype, str) else dtype.__name__
    if name not in TYPES:
        raise InvalidRequest(f"gen: dtype is {name!r}. Expected one of {', '.join(TYPES)}.")
    return name


def pattern_of(options: Options) -> str | None:
    """The pattern that the answer has to match."""
    return options.regex if options.dtype is None else TYPES[type_name(options.dtype)]


def schema_of(options: Options) -> dict[str, Any] | None:
    """The answer's JSON schema. InvalidRequest where its text is no JSON object."""
    if options.json_schema is None:
        return None
    found: Any = options.json_schema
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError as error:
            raise InvalidRequest(f"gen: json_schema is no JSON: {error}", param="json_schema") from error
    if not isinstance(found, dict):
        raise InvalidRequest('gen: json_schema is no object. Expected a schema such as {"type": "object"}.')
    return found


class StopPatterns:
    """Ends an answer before the first match of any of some patterns."""

    def __init__(self, patterns: list[str]) -> None:
        try:
            self._patterns = [re.compile(pattern) for pattern in patterns]
        except re.error as error:
            raise InvalidRequest(f"gen: stop_regex is no regular expression: {error}", param="stop_regex") from error

    def cut(self, text: str) -> str | None:
        """The text before the first match; None where there is none."""
        places = [found.start() for pattern in self._patterns if (found := pattern.search(text))]
        return text[: min(places)] if places else None

    def shortened(self, text: str) -> str:
        """The text before the first match, or all of it."""
        found = self.cut(text)
        return text if found is None else found
