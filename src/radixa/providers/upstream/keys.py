"""An upstream's key: from the environment or a file, never from the configuration itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from radixa.core.config import ProviderConfig
from radixa.core.errors import ConfigError

VARIABLES: dict[str, str] = {
    "openai": "OPENAI_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
}
"""The kinds that need a key, and the variable that holds it where the configuration names no other."""

_MOST_CHARACTERS = 8192


def variable_of(config: ProviderConfig) -> str | None:
    """The environment variable that holds the provider's key; None where nothing names one."""
    return config.api_key_env or VARIABLES.get(config.kind)


def api_key(name: str, config: ProviderConfig, environ: Mapping[str, str]) -> str | None:
    """The key of the provider `name`; None where it has none. ConfigError for a file that holds none.

    A server of one's own often needs no key, so its absence is an error only to whoever needs it.
    """
    if config.api_key_file:
        return _usable(_read(name, config.api_key_file), f"the file of providers.{name}.api_key_file")
    variable = variable_of(config)
    if variable is None:
        return None
    return _usable(environ.get(variable, ""), f"the variable {variable}") or None


def where(name: str, config: ProviderConfig) -> str:
    """Where the key of the provider comes from, as an error names it."""
    if config.api_key_file:
        return f"the file of providers.{name}.api_key_file"
    variable = variable_of(config)
    return variable if variable is not None else f"providers.{name}.api_key_env"


def _read(name: str, file: str) -> str:
    try:
        with Path(file).expanduser().open(encoding="utf-8") as opened:
            text = opened.read(_MOST_CHARACTERS + 1)
    except OSError as error:
        raise ConfigError(f"providers.{name}.api_key_file = {file!r}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        text = ""
    if not text.strip() or len(text) > _MOST_CHARACTERS:
        raise ConfigError(f"providers.{name}.api_key_file = {file!r}: expected a file with the key as its one line")
    return text


def _usable(text: str, place: str) -> str:
    key = text.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        # Such a thing cannot be sent in a header; it is not shown, since part of it may be a key.
        raise ConfigError(f"{place}: expected one key, got several lines or characters that no key has")
    return key
