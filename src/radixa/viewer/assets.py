"""The viewer's script, style and words, which the file holds in itself and the dashboard serves."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
STATIC = HERE / "static"
SCRIPTS = (
    "text.js",
    "store.js",
    "layout.js",
    "colours.js",
    "canvas.js",
    "viewport.js",
    "panel.js",
    "outline.js",
    "timeline.js",
    "feed.js",
    "viewer.js",
)
"""In the order in which they run; the last begins."""
STYLE = "viewer.css"
LANGUAGES = ("en", "ko")


@cache
def words(language: str) -> Mapping[str, str]:
    """The viewer's texts in one of its languages, by dotted keys."""
    return dict(_flat(tomllib.loads((HERE / "words" / f"{language}.toml").read_text("utf-8"))))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, str(value)
