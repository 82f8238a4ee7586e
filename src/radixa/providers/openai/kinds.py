"""What the kinds of servers differ in. One more is a row here, not an `if` elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radixa.core.base import Dialect

TokenCounting = Literal["none", "vllm", "sglang", "llama.cpp"]


@dataclass(frozen=True, slots=True)
class Kind:
    base_url: str = ""
    """Where the configuration names none."""
    dialects: frozenset[Dialect] = frozenset({"chat", "completions"})
    max_tokens: str = "max_tokens"
    """What chat calls the limit of an answer."""
    sampling: frozenset[str] = frozenset({"seed", "logit_bias", "logprobs", "n"})
    """Fields beyond those that every server has."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Fields of sampling that have another name there."""
    cache_keys: bool = False
    """It takes `prompt_cache_key`, and answers requests of one key at one place."""
    keeps_keys: bool = True
    """A caller's own `prompt_cache_key` may go on."""
    takes_cache_control: bool = True
    """Anthropic's breakpoints harm nothing there: it hands them on, or ignores them."""
    ignores_unknown: bool = True
    """Fields that it does not know harm nothing."""
    cache_by_generation: bool = False
    """It takes OpenAI's retention, options and breakpoints, by the model's generation (`generations.py`)."""
    salted: bool = False
    """It takes `cache_salt`: what prompts of different salts have in common is not shared."""
    json_schema: bool = True
    images: bool = True
    effort: bool = True
    parallel_tool_calls: bool = True
    counting: TokenCounting = "none"


_EXTRA = frozenset({"top_k", "min_p", "repetition_penalty", "stop_token_ids", "ignore_eos"})
_USUAL = Kind().sampling

KINDS: dict[str, Kind] = {
    "openai": Kind(
        base_url="https://api.openai.com/v1",
        dialects=frozenset({"chat", "completions", "responses"}),
        max_tokens="max_completion_tokens",
        cache_keys=True,
        takes_cache_control=False,
        ignores_unknown=False,
        cache_by_generation=True,
    ),
    "deepseek": Kind(
        base_url="https://api.deepseek.com",
        # Its text completions are another service, for filling in the middle.
        dialects=frozenset({"chat"}),
        sampling=frozenset({"logprobs"}),
        keeps_keys=False,
        takes_cache_control=False,
        ignores_unknown=False,
        json_schema=False,
        images=False,
        effort=False,
        parallel_tool_calls=False,
    ),
    "openai-compatible": Kind(),
    "vllm": Kind(sampling=_USUAL | _EXTRA, keeps_keys=False, salted=True, counting="vllm"),
    "sglang": Kind(sampling=_USUAL | _EXTRA, keeps_keys=False, salted=True, counting="sglang"),
    "llama.cpp": Kind(
        sampling=_USUAL | (_EXTRA - {"stop_token_ids"}),
        renamed=(("repetition_penalty", "repeat_penalty"),),
        keeps_keys=False,
        counting="llama.cpp",
    ),
}
