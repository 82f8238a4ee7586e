"""Reading the configuration: defaults, then `radixa.toml`, then the environment, then the command line; the last one
holds. An error names the one value that is wrong, where it came from and what was expected."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import msgspec

from radixa.core.addresses import without_password
from radixa.core.config import Config, ModelEntry, ProviderConfig
from radixa.core.errors import ConfigError
from radixa.core.expected import expected
from radixa.core.variables import check_variables, variable_of

MOST_THREADS_A_CORE = 4
"""More only wait for each other; some hundreds are more than a system gives."""
_URL = re.compile(r"[a-z][\w+]*://", re.ASCII)
_ORIGIN = re.compile(r"\*|https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:.]+\](:\d{1,5})?", re.ASCII)

_WITH_PASSWORDS = ("store.url", "telemetry.otlp_endpoint")
SECTIONS: tuple[str, ...] = ("server", "store", "engine", "cache", "accounts", "log", "telemetry")
"""The sections whose values are scalars, each also an environment variable."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and where each value came from: `default`, a file's name, a variable's name or `command line`."""

    config: Config
    origins: dict[str, str]
    """By dotted name, such as `engine.dtype`; a name that is absent has its default."""

    def rows(self) -> list[tuple[str, Any, str]]:
        """Every scalar value as (dotted name, value, origin), in order; passwords are left out."""
        found = []
        for section in SECTIONS:
            part = getattr(self.config, section)
            for name in part.__struct_fields__:
                dotted = f"{section}.{name}"
                value = getattr(part, name)
                if isinstance(value, tuple):
                    value = ",".join(value)
                shown = without_password(value) if dotted in _WITH_PASSWORDS else value
                found.append((dotted, shown, self.origins.get(dotted, "default")))
        return found


def load(
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Read the configuration.

    `file`: a TOML file; without one, `radixa.toml` in the current folder where there is one. `overrides`: dotted names
    to values, from the command line. ConfigError names the key, its origin and what was expected; a variable that can
    only be a misspelled setting is one too.
    """
    environ = os.environ if environ is None else environ
    check_variables(environ, {variable_of(section, name) for section in SECTIONS for name in _names(section)})
    raw: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if file is None and Path("radixa.toml").is_file():
        file = Path("radixa.toml")
    if file is not None:
        raw = _read_toml(file)
        origins = {f"{s}.{k}": str(file) for s in SECTIONS for k in _table(raw, s, file)}
    for section in SECTIONS:
        for name in _names(section):
            variable = variable_of(section, name)
            if variable in environ:
                raw.setdefault(section, {})[name] = environ[variable]
                origins[f"{section}.{name}"] = variable
    for dotted, value in (overrides or {}).items():
        section, name = dotted.split(".")
        raw.setdefault(section, {})[name] = value
        origins[dotted] = "command line"
    return Loaded(_convert(raw, origins, file), origins)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from error


def _table(raw: dict[str, Any], section: str, file: Path) -> dict[str, Any]:
    table = raw.get(section, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{section} in {file}: expected a table ([{section}]), got {type(table).__name__}")
    return table


def _convert(raw: dict[str, Any], origins: dict[str, str], file: Path | None) -> Config:
    """Check section by section and value by value, so that an error names the one value that is wrong."""
    sections: dict[str, Any] = {}
    for section in SECTIONS:
        kind = type(getattr(Config(), section))
        hints = get_type_hints(kind, include_extras=True)
        values = {}
        for name, value in raw.get(section, {}).items():
            dotted = f"{section}.{name}"
            origin = origins.get(dotted, str(file))
            if name not in hints:
                raise ConfigError(f"{dotted} ({origin}): no such setting; [{section}] has {', '.join(hints)}")
            # Variables are text, so numbers and booleans in them are read leniently; a file must use TOML's own types.
            lenient = origin.startswith("RADIXA_")
            try:
                if lenient and get_origin(hints[name]) is tuple:
                    value = [part for part in map(str.strip, value.split(",")) if part]
                values[name] = msgspec.convert(value, hints[name], strict=not lenient)
                _check(dotted, values[name])
            except (msgspec.ValidationError, _Refused) as error:
                shown = without_password(value) if dotted in _WITH_PASSWORDS and isinstance(value, str) else value
                wanted = str(error) if isinstance(error, _Refused) else expected(hints[name])
                raise ConfigError(f"{dotted} = {shown!r} ({origin}): expected {wanted}") from error
        sections[section] = kind(**values)
    unknown = set(raw) - {*SECTIONS, "models", "providers"}
    if unknown:
        there = ", ".join((*SECTIONS, "models", "providers"))
        raise ConfigError(f"[{min(unknown)}] ({file}): no such section; there are {there}")
    try:
        models = msgspec.convert(raw.get("models", []), tuple[ModelEntry, ...])
    except msgspec.ValidationError as error:
        raise ConfigError(f"[[models]] ({file}): {_plain(error)}") from error
    try:
        providers = msgspec.convert(raw.get("providers", {}), dict[str, ProviderConfig])
    except msgspec.ValidationError as error:
        raise ConfigError(f"[providers] ({file}): {_plain(error)}") from error
    return Config(**sections, models=models, providers=providers)


class _Refused(Exception):
    """A value of the right type that cannot be; its text is what was expected."""


def _check(dotted: str, value: Any) -> None:
    """What a type cannot say."""
    if dotted == "store.url" and value and not _URL.match(value):
        raise _Refused("a URL such as sqlite:///radixa.db or postgresql://…")
    if dotted == "telemetry.otlp_endpoint" and value and not re.match(r"https?://\w", value):
        raise _Refused("a URL such as http://127.0.0.1:4318")
    if dotted == "server.cors_origins" and not all(map(_ORIGIN.fullmatch, value)):
        raise _Refused("origins as browsers send them, such as https://chat.example.org, without a path; or *")
    if dotted == "engine.threads" and value > (most := MOST_THREADS_A_CORE * len(os.sched_getaffinity(0))):
        raise _Refused(f"a whole number from 0 to {most}, {MOST_THREADS_A_CORE} for each core this process may use")


def _names(section: str) -> tuple[str, ...]:
    return tuple(getattr(Config(), section).__struct_fields__)


def _plain(error: msgspec.ValidationError) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]
