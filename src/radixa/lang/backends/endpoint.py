"""A server of ours, over HTTP."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing
from functools import cached_property, partial
from typing import Any
from urllib.parse import quote

from radixa.core.addresses import DEFAULT_URL
from radixa.core.errors import CallFailed, InvalidRequest
from radixa.lang.base import Answer, ChatFormat, Listener, Options, Prompt, Turn
from radixa.lang.formats import learned
from radixa.lang.http import Http
from radixa.lang.scoring import CERTAIN
from radixa.lang.text_backend import TextBackend, fields, missing_collection
from radixa.lang.usage import figures

PAGE = 5_000
"""Nodes of the tree that are asked for at a time."""
MOST_NODES = 100_000


class RuntimeEndpoint(TextBackend):
    """The server at `base_url` (default: `RADIXA_BASE_URL`, else this machine's port 8000).

    `api_key` defaults to `RADIXA_API_KEY`, `model` to the server's own. It has to be answered by the server's embedded
    engine, whose tokens programs are made of; `OpenAI` asks any other model of the same server.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        verify: bool | str = True,
        *,
        model: str | None = None,
    ) -> None:
        url = base_url or os.environ.get("RADIXA_BASE_URL") or DEFAULT_URL
        self.http = Http(url, api_key or os.environ.get("RADIXA_API_KEY"), verify)
        self._asked = model
        self._warms = True

    @cached_property
    def model(self) -> str:
        """The model that is asked. InvalidRequest where the embedded engine does not answer for it."""
        offered = self.http.get("/v1/models").get("data") or []
        if not offered:
            raise CallFailed(f"{self.http.url} offers no model")
        own = offered[0]
        name = self._asked or str(own["id"])
        found = next((model for model in offered if model["id"] == name), None)
        if found is None:
            raise InvalidRequest(
                f"{self.http.url} has no model {name!r}. Expected one of `rx.list_supported_models()`."
            )
        details = found.get("radixa")
        if details is None or details["served_by"] != own["id"]:
            raise InvalidRequest(
                f"{name} is not answered by an embedded engine at {self.http.url}, and programs need its tokens. "
                f"Use rx.OpenAI({name!r}, base_url={self.http.url + '/v1'!r}) instead."
            )
        return name

    @cached_property
    def format(self) -> ChatFormat:
        # A model that cannot be asked is said before, and not taken for a template that refuses its messages.
        return learned(partial(self._rendered, self.model))

    def render(self, turns: Sequence[Turn], add_generation_prompt: bool) -> str:
        return self._rendered(self.model, turns, add_generation_prompt)

    def _rendered(self, model: str, turns: Sequence[Turn], add_generation_prompt: bool) -> str:
        body = {"messages": [turn.body() for turn in turns], "add_generation_prompt": add_generation_prompt}
        try:
            ids = self.http.post("/v1/tokenize", {"model": model, **body})["tokens"]
        except CallFailed as error:
            if error.answered != 400:
                raise
            raise InvalidRequest(error.message) from error
        return str(self.http.post("/v1/detokenize", {"model": model, "tokens": ids})["text"])

    def tokenize(self, text: str) -> Sequence[int]:
        found: list[int] = self.http.post("/v1/tokenize", {"model": self.model, "prompt": text})["tokens"]
        return found

    def complete(self, text: str, options: Options, listener: Listener | None) -> list[Answer]:
        body = {"model": self.model, "prompt": text, **fields(options)}
        begun = time.perf_counter()
        if listener is not None:
            return [self._streamed(body, options, listener, begun)]
        found = self.http.post("/v1/completions", body)
        seconds = time.perf_counter() - begun
        choices = sorted(found["choices"], key=lambda choice: int(choice["index"]))
        shared = _meta(found["id"], self.model, found.get("usage") or {}, seconds)
        return [Answer(choice["text"], shared | _of_choice(choice, options)) for choice in choices]

    def _streamed(self, body: dict[str, Any], options: Options, listener: Listener, begun: float) -> Answer:
        text, first, reason, identity = "", None, None, ""
        usage: dict[str, Any] = {}
        logprobs: list[Any] = []
        asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
        with closing(self.http.events("/v1/completions", asked)) as chunks:
            for chunk in chunks:
                identity, usage = chunk["id"], chunk.get("usage") or usage
                for choice in chunk["choices"]:
                    piece = choice["text"]
                    first = first or (time.perf_counter() if piece else None)
                    text += piece
                    reason = choice.get("finish_reason") or reason
                    logprobs += _logprobs(choice, options)
                    if piece and listener(piece):
                        reason = "stop"
                        break
                else:
                    continue
                break
        now = time.perf_counter()
        meta = _meta(identity, self.model, usage, now - begun)
        meta["ttft"] = (first or now) - begun
        meta["finish_reason"] = {"type": reason}
        if options.return_logprob:
            meta["output_token_logprobs"] = logprobs
        return Answer(text, meta)

    def logprob(self, prompt: Sequence[int], token: int) -> float:
        forced = {"logit_bias": {str(token): CERTAIN}, "temperature": 0, "ignore_eos": True, "logprobs": 0}
        body = {"model": self.model, "prompt": list(prompt), "max_tokens": 1, **forced}
        found = self.http.post("/v1/completions", body)
        return float(found["choices"][0]["logprobs"]["token_logprobs"][0])

    def warm(self, prompt: Prompt) -> None:
        """A server that knows no warming is asked once."""
        if not self._warms or not prompt.text:
            return
        try:
            # Kept as any other prompt is, rather than pinned: a program's prefix is for now.
            self.http.post("/v1/cache/warm", {"model": self.model, "prompt": prompt.text, "pin": False})
        except CallFailed as error:
            if error.answered not in (404, 405):
                raise
            self._warms = False

    def flush_cache(self) -> dict[str, Any]:
        found: dict[str, Any] = self.http.delete("/v1/cache")
        return found

    def get_server_info(self) -> dict[str, Any]:
        """The address, the model as `/v1/models` has it, and the cache's counters."""
        model = self.http.get(f"/v1/models/{quote(self.model, safe='')}")
        return {"address": self.http.url, "model": model, "cache": self.http.get("/v1/cache")}

    def tree(self) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = []
        after = ""
        while True:
            found = self.http.get(f"/v1/cache/tree?limit={PAGE}{after}")
            nodes += found["data"]
            if not found["has_more"] or len(nodes) >= MOST_NODES:
                return nodes
            after = f"&after={found['next']}"

    def search(self, collection: str, query: str, k: int) -> list[str]:
        path = f"/v1/collections/{quote(collection, safe='')}/search"
        try:
            found = self.http.post(path, {"query": query, "k": k})
        except CallFailed as error:
            if error.answered != 404:
                raise
            raise missing_collection(collection, self.http.url) from error
        return [str(passage["text"]) for passage in found["data"]]

    def shutdown(self) -> None:
        self.http.close()


def _meta(identity: str, model: str, usage: dict[str, Any], seconds: float) -> dict[str, Any]:
    return {"id": identity, "model": model, **figures(usage), "e2e_latency": seconds}


def _of_choice(choice: dict[str, Any], options: Options) -> dict[str, Any]:
    found: dict[str, Any] = {"finish_reason": {"type": choice.get("finish_reason")}}
    if options.return_logprob:
        found["output_token_logprobs"] = _logprobs(choice, options)
        if options.top_logprobs_num:
            found["output_top_logprobs"] = (choice.get("logprobs") or {}).get("top_logprobs")
    return found


def _logprobs(choice: dict[str, Any], options: Options) -> list[tuple[float, None, str | None]]:
    """Each token's log-probability, no id, and its text where that was asked for."""
    found = choice.get("logprobs") or {}
    pairs = zip(found.get("token_logprobs", ()), found.get("tokens", ()), strict=True)
    return [(value, None, text if options.return_text_in_logprobs else None) for value, text in pairs]
