"""OpenAI, and any server that speaks its API, by OpenAI's own SDK."""

from __future__ import annotations

import re
import time
from typing import Any

from radixa.core.errors import InvalidRequest
from radixa.lang.base import Answer, Listener, Options, Prompt
from radixa.lang.chat_backend import ChatBackend, answer_schema, messages_of, refuse, unwrapped
from radixa.lang.constraints import StopPatterns
from radixa.lang.usage import figures

NEW_LIMIT = re.compile(r"(o\d|gpt-5)")
"""Models that call the limit of an answer `max_completion_tokens`."""
_OFF: dict[str, tuple[Any, ...]] = {
    "temperature": (1.0,),
    "top_p": (1.0,),
    "frequency_penalty": (0.0,),
    "presence_penalty": (0.0,),
    "repetition_penalty": (1.0,),
    "top_k": (-1, 0),
    "min_p": (0.0,),
    "ignore_eos": (False,),
}
"""Values that say nothing, and are not sent: not every model takes the field."""
_EXTRA = ("top_k", "min_p", "repetition_penalty", "ignore_eos", "regex")
"""Fields that OpenAI has not; servers that have them take them in the body."""


class OpenAI(ChatBackend):
    """The model `model_name`; `is_chat_model=False` asks text completions.

    All else goes to `openai.OpenAI`: `base_url`, `api_key`, `timeout` and so on.
    """

    def __init__(self, model_name: str, is_chat_model: bool = True, **client_options: Any) -> None:
        import openai

        super().__init__(model_name, openai.OpenAI(**client_options))
        self.is_chat_model = is_chat_model

    def generate(self, prompt: Prompt, options: Options, listener: Listener | None = None) -> list[Answer]:
        refuse("OpenAI", options, ["min_tokens", "stop_token_ids"])
        schema = answer_schema(options)
        body = self._body(prompt, options, schema)
        patterns = StopPatterns(options.stop_patterns)
        begun = time.perf_counter()
        if (options.n or 1) == 1 and (listener is not None or options.stop_patterns):
            answers = [self._streamed(body, patterns, listener, begun)]
        else:
            answers = self._whole(body, begun)
        return [Answer(unwrapped(patterns.shortened(answer.text), options), answer.meta) for answer in answers]

    def formed(self, prompt: Prompt, schema: dict[str, Any]) -> Answer:
        """By structured outputs."""
        (answer,) = self._whole(self._body(prompt, Options(temperature=0.0), schema), time.perf_counter())
        return answer

    # ---- inside

    def _body(self, prompt: Prompt, options: Options, schema: dict[str, Any] | None) -> dict[str, Any]:
        if schema is not None and not self.is_chat_model:
            raise InvalidRequest(
                "select, json_schema and dtype need a chat model at OpenAI. Expected is_chat_model=True."
            )
        wanted = {
            "temperature": options.temperature,
            "top_p": options.top_p,
            "frequency_penalty": options.frequency_penalty,
            "presence_penalty": options.presence_penalty,
            "repetition_penalty": options.repetition_penalty,
            "top_k": options.top_k,
            "min_p": options.min_p,
            "ignore_eos": options.ignore_eos,
            "regex": options.regex,
            "seed": options.seed,
            "stop": options.stops or None,
            "n": options.n if (options.n or 1) > 1 else None,
        }
        said = {name: value for name, value in wanted.items() if value is not None and value not in _OFF.get(name, ())}
        extra = {name: said.pop(name) for name in _EXTRA if name in said}
        body: dict[str, Any] = {"model": self.model, **said}
        if extra:
            body["extra_body"] = extra
        if options.max_tokens is not None:
            body["max_completion_tokens" if NEW_LIMIT.match(self.model) else "max_tokens"] = options.max_tokens
        if self.is_chat_model:
            body["messages"] = messages_of(prompt, continues=False)
            if options.return_logprob:
                body |= {"logprobs": True, "top_logprobs": options.top_logprobs_num or 0}
        else:
            body["prompt"] = prompt.text
            if options.return_logprob:
                body["logprobs"] = options.top_logprobs_num or 0
        if schema is not None:
            form = {"name": "answer", "schema": schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return body

    def _ask(self, body: dict[str, Any]) -> Any:
        import openai

        resource = self.client.chat.completions if self.is_chat_model else self.client.completions
        try:
            return resource.create(**body)
        except openai.OpenAIError as error:
            raise self.failed(error) from error

    def _whole(self, body: dict[str, Any], begun: float) -> list[Answer]:
        found = self._ask(body)
        shared = {
            "id": found.id,
            "model": found.model,
            **figures(found.usage.to_dict() if found.usage is not None else None),
            "e2e_latency": time.perf_counter() - begun,
        }
        answers = []
        for choice in found.choices:
            text = (choice.message.content or "") if self.is_chat_model else choice.text
            meta = {**shared, "finish_reason": {"type": choice.finish_reason}}
            if choice.logprobs is not None:
                meta["output_token_logprobs"] = self._logprobs(choice.logprobs)
            answers.append(Answer(text, meta))
        return answers

    def _streamed(
        self, body: dict[str, Any], patterns: StopPatterns, listener: Listener | None, begun: float
    ) -> Answer:
        import openai

        text, first, reason, used, identity = "", None, None, None, ""
        logprobs: list[Any] = []
        try:
            with self._ask({**body, "stream": True, "stream_options": {"include_usage": True}}) as chunks:
                for chunk in chunks:
                    identity, used = chunk.id or identity, chunk.usage or used
                    piece = ""
                    for choice in chunk.choices:
                        piece += ((choice.delta.content if self.is_chat_model else choice.text) or "") if choice else ""
                        reason = choice.finish_reason or reason
                        logprobs += self._logprobs(choice.logprobs) if choice.logprobs else []
                    if not piece:
                        continue
                    first = first or time.perf_counter()
                    text += piece
                    if patterns.cut(text) is not None or (listener is not None and listener(piece)):
                        reason = "stop"
                        break
        except openai.OpenAIError as error:
            raise self.failed(error) from error
        now = time.perf_counter()
        meta = {"id": identity, "model": self.model, **figures(used.to_dict() if used is not None else None)}
        meta |= {"ttft": (first or now) - begun, "e2e_latency": now - begun, "finish_reason": {"type": reason}}
        if body.get("logprobs") is not None:
            meta["output_token_logprobs"] = logprobs
        return Answer(text, meta)

    def _logprobs(self, found: Any) -> list[tuple[float, None, str]]:
        if self.is_chat_model:
            return [(token.logprob, None, token.token) for token in found.content or ()]
        return [(value, None, text) for value, text in zip(found.token_logprobs, found.tokens, strict=True)]
