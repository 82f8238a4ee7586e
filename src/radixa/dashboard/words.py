"""The dashboard's languages: a file of texts for each (`words/*.toml`), chosen by cookie or by the browser."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from radixa.dashboard.session import cookies
from radixa.gateway.request import Request

COOKIE = "radixa_language"
HERE = Path(__file__).parent
FOLDERS = (HERE / "words", HERE / "tree" / "words")
"""Where the texts lie: the dashboard's, and the tree view's."""
NAMES = {"en": "English", "ko": "한국어"}
"""The languages there are, each by its own name; the first is taken where nobody says."""


@dataclass(frozen=True, slots=True)
class Language:
    """`texts` by dotted keys: `usage.title`."""

    code: str
    texts: Mapping[str, str]

    def word(self, key: str, **values: object) -> str:
        """The text of a key, with `{name}` replaced. KeyError for a key that is none."""
        text = self.texts[key]
        return text.format(**values) if values else text


@cache
def languages() -> Mapping[str, Language]:
    """They are read once in a process."""
    return {code: Language(code, dict(_texts(code))) for code in NAMES}


def chosen(request: Request, known: Mapping[str, Language]) -> Language:
    """The visitor's choice, else the first of their browser's languages that there is, else English."""
    picked = cookies(request).get(COOKIE)
    if picked is not None and picked in known:
        return known[picked]
    for code in _accepted(request.header(b"accept-language") or b""):
        if code in known:
            return known[code]
    return next(iter(known.values()))


def _accepted(header: bytes) -> list[str]:
    """The languages of an `Accept-Language`, best first, without their regions."""
    weighted = []
    for part in header.decode("latin-1").split(","):
        name, _, quality = part.partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            weight = 0.0
        if weight > 0:
            weighted.append((-weight, name.strip().partition("-")[0].lower()))
    return [code for _, code in sorted(weighted, key=lambda item: item[0])]


def _texts(code: str) -> Iterator[tuple[str, str]]:
    for folder in FOLDERS:
        file = folder / f"{code}.toml"
        if file.exists():
            yield from _flat(tomllib.loads(file.read_text("utf-8")))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, str(value)
