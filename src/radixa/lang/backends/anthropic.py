"""Anthropic's models, by Anthropic's own SDK."""

from __future__ import annotations

import json
import time
from typing import Any

from radixa.core.errors import CallFailed, ConfigError
from radixa.lang.base import Answer, Listener, Options, Prompt
from radixa.lang.chat_backend import ChatBackend, answer_schema, messages_of, refuse, unwrapped
from radixa.lang.constraints import StopPatterns

MAX_TOKENS = 512
"""Anthropic wants a limit in every request."""
_NOT_THERE = (
    "min_tokens", "stop_token_ids", "frequency_penalty", "presence_penalty", "min_p", "seed", "ignore_eos", "regex",
    "return_logprob",
)  # fmt: skip
_OFF: dict[str, tuple[float, ...]] = {"temperature": (1.0,), "top_p": (1.0,), "top_k": (-1, 0)}
"""Values that say nothing."""
_TOOL = "answer"


class Anthropic(ChatBackend):
    """The model `model_name`. All else goes to `anthropic.Anthropic`: `base_url`, `api_key`, `timeout` and so on."""

    def __init__(self, model_name: str, **client_options: Any) -> None:
        try:
            import anthropic
        except ImportError as error:
            raise ConfigError("rx.Anthropic needs Anthropic's SDK: pip install 'radixa[anthropic]'") from error
        super().__init__(model_name, anthropic.Anthropic(**client_options))

    def generate(self, prompt: Prompt, options: Options, listener: Listener | None = None) -> list[Answer]:
        refuse("Anthropic", options, _NOT_THERE)
        schema = answer_schema(options)
        body = self._body(prompt, options, schema)
        patterns = StopPatterns(options.stop_patterns)
        return [self._answer(body, options, patterns, listener if i == 0 else None) for i in range(options.n or 1)]

    def formed(self, prompt: Prompt, schema: dict[str, Any]) -> Answer:
        """By calling a tool that takes nothing else."""
        options = Options(temperature=0.0)
        return self._answer(self._body(prompt, options, schema), options, StopPatterns([]), None)

    # ---- inside

    def _body(self, prompt: Prompt, options: Options, schema: dict[str, Any] | None) -> dict[str, Any]:
        messages = messages_of(prompt, continues=schema is None)
        system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": options.max_tokens or MAX_TOKENS,
            "messages": [message for message in messages if message["role"] != "system"],
        }
        if system:
            body["system"] = system
        if options.stops:
            body["stop_sequences"] = options.stops
        # Fields of the API that the SDK has no parameters for; newer models refuse them, so defaults are not sent.
        sampling = {"temperature": options.temperature, "top_p": options.top_p, "top_k": options.top_k}
        said = {name: value for name, value in sampling.items() if value is not None and value not in _OFF[name]}
        if said:
            body["extra_body"] = said
        if schema is not None:
            body["tools"] = [{"name": _TOOL, "description": "Give the answer.", "input_schema": schema}]
            body["tool_choice"] = {"type": "tool", "name": _TOOL}
        return body

    def _answer(
        self, body: dict[str, Any], options: Options, patterns: StopPatterns, listener: Listener | None
    ) -> Answer:
        import anthropic

        begun = time.perf_counter()
        text, first = "", None
        try:
            with self.client.messages.stream(**body) as stream:
                for piece in stream.text_stream:
                    first = first or time.perf_counter()
                    text += piece
                    if patterns.cut(text) is not None or (listener is not None and listener(piece)):
                        break
                message = stream.current_message_snapshot
        except anthropic.AnthropicError as error:
            raise self.failed(error) from error
        calls = [block.input for block in message.content if block.type == "tool_use"]
        if "tools" in body:
            if not calls:
                raise CallFailed(f"{self.model} answered {text[:80]!r}; expected a call of the tool it had to call")
            text = unwrapped(json.dumps(calls[0], ensure_ascii=False), options)
        now, used = time.perf_counter(), message.usage
        cached = used.cache_read_input_tokens or 0
        meta = {
            "id": message.id,
            "model": message.model,
            "prompt_tokens": used.input_tokens + cached + (used.cache_creation_input_tokens or 0),
            "completion_tokens": used.output_tokens,
            "cached_tokens": used.cache_read_input_tokens,
            "ttft": (first or now) - begun,
            "e2e_latency": now - begun,
            "cost_usd": None,
            "saved_usd": None,
            "served_by": None,
            "finish_reason": {"type": message.stop_reason or "stop"},
        }
        return Answer(patterns.shortened(text), meta)
