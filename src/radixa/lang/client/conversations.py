"""Conversations over any `openai` client, with what their shared prefixes saved."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from radixa.lang.client.calls import NOT_REPORTED, Steps, client_or_default, run
from radixa.lang.usage import cached_tokens


class PrefixCacheManager:
    """Asks one model turn by turn and counts what was reused.

    With `openai.AsyncOpenAI`, `process_conversation_turn` gives a coroutine. Safe to use from several threads.
    """

    def __init__(self, client: Any = None, model: str = "deepseek-chat") -> None:
        self.client = client_or_default(client)
        self.model = model
        self._offer: Mapping[str, Any] | None = None
        """What `/v1/models` says of the model beyond OpenAI's fields; None before it was asked."""
        self._lock = threading.Lock()
        self._turns = self._hits = self._misses = 0
        self._reported = 0

    def process_conversation_turn(
        self,
        session_id: str,
        conversation_history: Sequence[Mapping[str, Any]],
        new_message: str | Mapping[str, Any],
        **options: Any,
    ) -> Any:
        """Ask with the history and the new message (the user's, where it is a text). A dict: `response`, `latency_ms`,
        `prompt_tokens`, `output_tokens`, `cached_tokens`; a figure that the server does not say is "not reported".

        `options` are further fields of the request.
        """
        message = {"role": "user", "content": new_message} if isinstance(new_message, str) else new_message
        body = {"model": self.model, "messages": [*conversation_history, message], **options}
        return run(self.client, lambda client: self._turn(client, session_id, body))

    def get_cache_statistics(self) -> dict[str, Any]:
        """Sums over all turns whose server told what was cached: `cache_hits`, `cache_misses` (prompt tokens),
        `hit_rate_percent`, `tokens_saved`, `estimated_savings_usd` at the model's own prices."""
        with self._lock:
            if self._turns and not self._reported:
                names = ("cache_hits", "cache_misses", "hit_rate_percent", "tokens_saved", "estimated_savings_usd")
                return dict.fromkeys(names, NOT_REPORTED)
            total = self._hits + self._misses
            return {
                "cache_hits": self._hits,
                "cache_misses": self._misses,
                "hit_rate_percent": 100.0 * self._hits / total if total else 0.0,
                "tokens_saved": self._hits,
                "estimated_savings_usd": self._savings(),
            }

    def close(self) -> Any:
        """Close the client; for an asynchronous one, a coroutine."""
        return self.client.close()

    def _turn(self, client: Any, session_id: str, body: dict[str, Any]) -> Steps[dict[str, Any]]:
        offer = yield from self._offered(client)
        if offer:
            # A field of ours: other servers may refuse what they do not know.
            body = {**body, "extra_body": {"session_id": session_id, **body.get("extra_body", {})}}
        begun = time.perf_counter()
        found = yield lambda: client.chat.completions.create(**body)
        latency = (time.perf_counter() - begun) * 1e3
        usage = found.usage.to_dict() if found.usage is not None else {}
        prompt, cached = usage.get("prompt_tokens"), cached_tokens(usage)
        with self._lock:
            self._turns += 1
            if prompt is not None and cached is not None:
                self._reported += 1
                self._hits += cached
                self._misses += prompt - cached
        return {
            "response": found.choices[0].message.content or "",
            "latency_ms": latency,
            "prompt_tokens": _said(prompt),
            "output_tokens": _said(usage.get("completion_tokens")),
            "cached_tokens": _said(cached),
        }

    def _offered(self, client: Any) -> Steps[Mapping[str, Any]]:
        import openai

        if self._offer is None:
            try:
                listed = yield lambda: client.models.list()
                offers = {model.id: model.to_dict().get("radixa") or {} for model in listed.data}
            except openai.OpenAIError:
                offers = {}  # a server without that route, or a key that may not use it
            self._offer = offers.get(self.model, {})
        return self._offer

    def _savings(self) -> float | str:
        prices = (self._offer or {}).get("prices_usd_per_mtok")
        if not self._turns:
            return 0.0
        if not prices:
            return NOT_REPORTED
        return float(self._hits * (prices["input"] - prices["cached_input"]) / 1e6)


def _said(value: int | None) -> int | str:
    return NOT_REPORTED if value is None else value
