"""Radixa: an LLM gateway and inference engine that computes a prompt prefix once.

The front-end language and the client are here by name (`import radixa as rx`); each is imported when it is first used.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_PLACES = {
    "radixa.lang.function": ("function", "Function"),
    "radixa.lang.words": (
        "gen", "gen_int", "gen_string", "select",
        "system", "system_begin", "system_end", "user", "user_begin", "user_end",
        "assistant", "assistant_begin", "assistant_end",
    ),
    "radixa.lang.choices": (
        "token_length_normalized", "greedy_token_selection", "unconditional_likelihood_normalized",
    ),
    "radixa.lang.default": ("set_default_backend", "flush_cache", "get_server_info"),
    "radixa.lang.backends.endpoint": ("RuntimeEndpoint",),
    "radixa.lang.backends.runtime": ("Runtime",),
    "radixa.lang.backends.engine": ("Engine",),
    "radixa.lang.backends.openai": ("OpenAI",),
    "radixa.lang.backends.anthropic": ("Anthropic",),
    "radixa.lang.conversing": ("set_system_prompt",),
    "radixa.lang.viewing": ("enable_visualize_radix_tree",),
    "radixa.lang.client.conversations": ("PrefixCacheManager",),
    "radixa.lang.client.models": ("list_supported_models", "validate_model"),
    "radixa.lang.client.retries": ("robust_completion",),
    "radixa.lang.client.retrieval": ("retrieve",),
    "radixa.lang.client.limits": ("check_rate_limit_status",),
}  # fmt: skip
_PLACE_OF = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "Anthropic", "Engine", "Function", "OpenAI", "PrefixCacheManager", "Runtime", "RuntimeEndpoint",
    "assistant", "assistant_begin", "assistant_end", "check_rate_limit_status", "enable_visualize_radix_tree",
    "flush_cache", "function", "gen", "gen_int", "gen_string", "get_server_info", "greedy_token_selection",
    "list_supported_models", "retrieve", "robust_completion", "select", "set_default_backend", "set_system_prompt",
    "system", "system_begin", "system_end", "token_length_normalized", "unconditional_likelihood_normalized",
    "user", "user_begin", "user_end", "validate_model",
]  # fmt: skip


def __getattr__(name: str) -> object:
    place = _PLACE_OF.get(name)
    if place is None:
        raise AttributeError(f"module 'radixa' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(place), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
