"""Environment variables that set nothing: a misspelled one would otherwise be a setting that does not hold."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Set

from radixa.core.errors import ConfigError

PREFIX = "RADIXA_"
WITHOUT_SETTING = ("RADIXA_HOME", "RADIXA_MODELS", "RADIXA_API_KEY", "RADIXA_BASE_URL", "RADIXA_DEBUG")
"""Variables that are read elsewhere and are no settings of a file."""

_OF_TESTS = "RADIXA_TEST_"
_ALIKE = 0.8
_OF_KUBERNETES = re.compile(r"RADIXA_SERVICE_(HOST|PORT(_\w+)?)|RADIXA_PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?")
"""What Kubernetes sets in every container beside a service that is called radixa, with `RADIXA_PORT=tcp://…`."""


def variable_of(section: str, name: str) -> str:
    """`RADIXA_ENGINE_DTYPE` for `[engine] dtype`."""
    return f"{PREFIX}{section}_{name}".upper()


def check_variables(environ: Mapping[str, str], settings: Set[str]) -> None:
    """ConfigError for a variable that names a section of `settings`, or looks like one of them, and is none.

    Other names beginning with RADIXA_ are left to whoever set them.
    """
    known = sorted({*settings, *WITHOUT_SETTING})
    for name in sorted(environ):
        if name in known or not name.startswith(PREFIX) or name.startswith(_OF_TESTS):
            continue
        nearest = None if _is_of_kubernetes(name, environ[name]) else _nearest(name, known)
        if nearest is not None:
            raise ConfigError(f"{name}: no such setting; did you mean {nearest}? `radixa config show` lists them all")


def _nearest(name: str, known: list[str]) -> str | None:
    """The variable that `name` was most likely meant to be; None where it is like none of them."""
    same_field = next((other for other in known if other.count("_") > 1 and _field(other) == _rest(name)), None)
    section = name.split("_")[1]
    inside = any(other.split("_")[1] == section for other in known if other not in WITHOUT_SETTING)
    alike = difflib.get_close_matches(name, known, 1, 0 if inside else _ALIKE)
    return same_field or (alike[0] if alike else None)


def _rest(name: str) -> str:
    return name.removeprefix(PREFIX)


def _field(name: str) -> str:
    """`KV_TOKENS` of `RADIXA_ENGINE_KV_TOKENS`."""
    return _rest(name).partition("_")[2]


def _is_of_kubernetes(name: str, value: str) -> bool:
    return bool(_OF_KUBERNETES.fullmatch(name)) or (name == "RADIXA_PORT" and "://" in value)
