"""Where entries come from before anybody changes them: what ships, and the configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.resources import files

import msgspec

from radixa.core.config import ModelEntry


def shipped() -> tuple[ModelEntry, ...]:
    """The entries of `catalogue.toml`."""
    text = files("radixa.gateway.catalogue").joinpath("catalogue.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text)["models"], tuple[ModelEntry, ...])


def entries_with(own: Iterable[ModelEntry]) -> tuple[ModelEntry, ...]:
    """The shipped entries, then the operator's; an operator's entry replaces a shipped one of the same id."""
    merged = {entry.id: entry for entry in (*shipped(), *own)}
    return tuple(merged.values())
