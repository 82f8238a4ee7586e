"""The upstreams that a configuration names, and what those that cannot be asked are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from radixa.core.config import ProviderConfig
from radixa.core.errors import ConfigError
from radixa.providers.base import Provider
from radixa.providers.upstream.keys import VARIABLES, api_key, where
from radixa.providers.wordllama.base import INSTALL, MODEL, PROVIDER
from radixa.providers.wordllama.files import files
from radixa.providers.wordllama.provider import WordLlamaProvider

KNOWN: Mapping[str, ProviderConfig] = {
    "openai": ProviderConfig(kind="openai"),
    "anthropic": ProviderConfig(kind="anthropic"),
    "gemini": ProviderConfig(kind="gemini"),
    "deepseek": ProviderConfig(kind="deepseek"),
}
"""Providers that are there without a word in the configuration, as soon as their key is."""

OURS: Mapping[str, str] = {"radixa": "the embedded engine's", PROVIDER: f"that of the package's own model, {MODEL}"}
"""Names that no upstream may have."""


@dataclass(slots=True)
class Upstreams:
    """Providers by name, and by name what the others need before they can be asked."""

    providers: dict[str, Provider] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    uninstalled: dict[str, str] = field(default_factory=dict)
    """By name, what installs those that need a package."""


def upstreams(configured: Mapping[str, ProviderConfig], environ: Mapping[str, str]) -> Upstreams:
    """Every known and configured upstream. ConfigError names the setting that cannot be. Nothing is connected yet."""
    found = Upstreams()
    for name, config in {**KNOWN, **configured}.items():
        if name in OURS:
            raise ConfigError(f"providers.{name}: this name is {OURS[name]}. Expected another one.")
        key = api_key(name, config, environ)
        # A server of one's own needs a key only where the configuration says where one is.
        if key is None and (config.kind in VARIABLES or config.api_key_env or config.api_key_file):
            found.missing[name] = where(name, config)
        else:
            found.providers[name] = _provider(name, config, key)
    model = files()
    if model is None:
        found.uninstalled[PROVIDER] = INSTALL
    else:
        found.providers[PROVIDER] = WordLlamaProvider(PROVIDER, model)
    return found


def _provider(name: str, config: ProviderConfig, key: str | None) -> Provider:
    """Imported only where one is needed: an HTTP client takes a while."""
    if config.kind == "anthropic":
        from radixa.providers.anthropic.provider import AnthropicProvider

        return AnthropicProvider(name, config, key)
    if config.kind == "gemini":
        from radixa.providers.gemini.provider import GeminiProvider

        return GeminiProvider(name, config, key)
    from radixa.providers.openai.provider import OpenAIProvider

    return OpenAIProvider(name, config, key, config.kind)
