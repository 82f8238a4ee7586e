"""Which files `radixa docs add` takes of what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from radixa.core.errors import InvalidRequest
from radixa.documents.reading.read import SUFFIXES


def documents_in(paths: list[Path]) -> list[tuple[str, Path]]:
    """The documents' names with their files. Of a folder, those whose suffix says that they are read, and nothing
    hidden, by their path within it; a file that is named by itself is taken whatever its suffix. InvalidRequest where
    two files come to one name: the later would replace the earlier."""
    found: dict[str, Path] = {}
    for name, file in _named(paths):
        if not found.setdefault(name, file).samefile(file):
            raise InvalidRequest(
                f"{found[name]} and {file} would both be the document '{name}'. Expected files of different names, or "
                "a folder above both, within which their paths differ.",
                param="documents",
            )
    return list(found.items())


def _named(paths: list[Path]) -> Iterator[tuple[str, Path]]:
    for path in paths:
        if not path.is_dir():
            yield path.name, path
            continue
        for file in sorted(path.rglob("*")):
            within = file.relative_to(path)
            hidden = any(part.startswith(".") for part in within.parts)
            if file.is_file() and not hidden and file.suffix.lower() in SUFFIXES:
                yield within.as_posix(), file
