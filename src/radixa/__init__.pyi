"""The names of `radixa` for type checkers; `__init__.py` imports each when it is first used."""

from radixa.lang.backends.anthropic import Anthropic
from radixa.lang.backends.endpoint import RuntimeEndpoint
from radixa.lang.backends.engine import Engine
from radixa.lang.backends.openai import OpenAI
from radixa.lang.backends.runtime import Runtime
from radixa.lang.choices import (
    greedy_token_selection,
    token_length_normalized,
    unconditional_likelihood_normalized,
)
from radixa.lang.client.conversations import PrefixCacheManager
from radixa.lang.client.limits import check_rate_limit_status
from radixa.lang.client.models import list_supported_models, validate_model
from radixa.lang.client.retries import robust_completion
from radixa.lang.client.retrieval import retrieve
from radixa.lang.conversing import set_system_prompt
from radixa.lang.default import flush_cache, get_server_info, set_default_backend
from radixa.lang.function import Function, function
from radixa.lang.viewing import enable_visualize_radix_tree
from radixa.lang.words import (
    assistant,
    assistant_begin,
    assistant_end,
    gen,
    gen_int,
    gen_string,
    select,
    system,
    system_begin,
    system_end,
    user,
    user_begin,
    user_end,
)

__version__: str

__all__ = [
    "Anthropic", "Engine", "Function", "OpenAI", "PrefixCacheManager", "Runtime", "RuntimeEndpoint",
    "assistant", "assistant_begin", "assistant_end", "check_rate_limit_status", "enable_visualize_radix_tree",
    "flush_cache", "function", "gen", "gen_int", "gen_string", "get_server_info", "greedy_token_selection",
    "list_supported_models", "retrieve", "robust_completion", "select", "set_default_backend", "set_system_prompt",
    "system", "system_begin", "system_end", "token_length_normalized", "unconditional_likelihood_normalized",
    "user", "user_begin", "user_end", "validate_model",
]  # fmt: skip
