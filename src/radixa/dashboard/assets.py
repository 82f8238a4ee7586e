"""Files for the browser: read once, sent with their type, kept by browsers for as long as their content is the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from radixa.core.errors import NotFound, shown
from radixa.gateway.base import Response
from radixa.gateway.request import Request
from radixa.viewer.assets import STATIC

URL = "/dashboard/static/"
HERE = Path(__file__).parent
FOLDERS = (("", HERE / "static"), ("tree/", HERE / "tree" / "static"), ("viewer/", STATIC))
"""What the files' names begin with, and where they lie."""
_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    content_type: bytes
    version: str
    """Of its content."""


class Assets:
    """By name: `app.css`, `vendor/…`, `tree/…`."""

    def __init__(self) -> None:
        self._found: dict[str, Asset] = {}
        for prefix, folder in FOLDERS:
            for file in sorted(folder.rglob("*")):
                kind = _TYPES.get(file.suffix)
                if kind is not None:
                    body = file.read_bytes()
                    name = prefix + file.relative_to(folder).as_posix()
                    self._found[name] = Asset(body, kind, hashlib.sha256(body).hexdigest()[:12])

    def url(self, name: str) -> str:
        """Where a file is, under a name that changes with its content. KeyError for one that is not there."""
        return f"{URL}{name}?v={self._found[name].version}"

    def response(self, request: Request) -> Response:
        """The file that the path names. NotFound where there is none."""
        asset = self._found.get(request.argument)
        if asset is None:
            raise NotFound(f"There is no file '{shown(request.argument)}'.", code="unknown_url")
        dated = request.query().get("v") == asset.version
        kept = b"public, max-age=31536000, immutable" if dated else b"no-cache"
        return Response(asset.body, 200, asset.content_type, ((b"cache-control", kept),))


@cache
def assets() -> Assets:
    """They are read once in a process."""
    return Assets()
