"""An engine in this process: no server, no port."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from radixa.core import tokens
from radixa.core.base import CachePolicy, GenerateRequest, Grammar, Message, SamplingParams, TextLogprob, Usage
from radixa.core.errors import ConfigError
from radixa.engine.base import EngineSettings, TreeQuery
from radixa.lang.base import Answer, Listener, Options, Prompt, Turn
from radixa.lang.scoring import CERTAIN
from radixa.lang.text_backend import TextBackend, fields, missing_collection
from radixa.providers.streams import closing

if TYPE_CHECKING:
    from radixa.providers.local.provider import LocalProvider
    from radixa.radix import NodeView

T = TypeVar("T")

NAMESPACE = "local"
PAGE = 5_000


class Engine(TextBackend):
    """The model `model_path` (what `radixa serve` takes), loaded into this process and run in a thread of it.

    `settings` are fields of `engine.base.EngineSettings`, such as `dtype`, `kv_tokens`, `threads`. `shutdown` lets it
    go; it is also a context.
    """

    def __init__(self, model_path: str = "smollm2", **settings: Any) -> None:
        unknown = [name for name in settings if name == "model" or name not in EngineSettings.__struct_fields__]
        if unknown:
            known = ", ".join(name for name in EngineSettings.__struct_fields__ if name != "model")
            raise ConfigError(f"Engine has no setting {unknown[0]!r}; it has: {known}")
        self._ids = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="radixa-engine-loop")
        self._thread.start()
        self._closed = False
        try:
            self._provider = self._wait(_provider(model_path, settings))
        except BaseException:
            self._stop()
            raise

    @property
    def model(self) -> str:
        return self._provider.name

    # ---- a back end of programs

    def render(self, turns: Sequence[Turn], add_generation_prompt: bool) -> str:
        messages = tuple(Message(turn.role, turn.content) for turn in turns)
        ids = self._wait(self._provider.tokenize(messages, add_generation_prompt))
        return self._provider.tokenizer.decode(tokens.unpack(ids), skip_special=False)

    def tokenize(self, text: str) -> Sequence[int]:
        return tokens.unpack(self._provider.tokenizer.encode(text))

    def complete(self, text: str, options: Options, listener: Listener | None) -> list[Answer]:
        return self._wait(self._answers(self._request(_sampling(options), prompt=text, n=options.n), options, listener))

    def logprob(self, prompt: Sequence[int], token: int) -> float:
        sampling = SamplingParams(max_tokens=1, temperature=0, ignore_eos=True, logprobs=0, logit_bias={token: CERTAIN})
        asked = self._request(sampling, token_ids=tokens.pack(prompt))
        (answer,) = self._wait(self._answers(asked, Options(return_logprob=True), None))
        return float(answer.meta["output_token_logprobs"][0][0])

    def warm(self, prompt: Prompt) -> None:
        if prompt.text:
            asked = self._request(SamplingParams(max_tokens=0), prompt=prompt.text)
            self._wait(self._answers(asked, Options(), None))

    def flush_cache(self) -> dict[str, Any]:
        dropped = self._wait(self._provider.engine.flush())
        return {
            "dropped_tokens": dropped.tokens,
            "dropped_host_tokens": dropped.host_tokens,
            "dropped_disk_tokens": dropped.disk_tokens,
        }

    def get_server_info(self) -> dict[str, Any]:
        """What the engine says of itself, and its counters."""
        engine = self._provider.engine
        stats = self._wait(engine.stats())
        return {"model": self.model, "engine": msgspec.to_builtins(engine.info), "cache": msgspec.to_builtins(stats)}

    def tree(self) -> list[dict[str, Any]]:
        nodes: list[NodeView] = []
        cursor = None
        while True:
            page = self._wait(self._provider.engine.tree(TreeQuery(namespace=NAMESPACE, limit=PAGE, cursor=cursor)))
            nodes += page.nodes
            cursor = page.cursor
            if cursor is None:
                return [self._node(node) for node in nodes]

    def search(self, collection: str, query: str, k: int) -> list[str]:
        """Documents are a server's: an engine alone has none."""
        raise missing_collection(collection, "An engine in this process")

    def shutdown(self) -> None:
        if not self._closed:
            self._wait(self._provider.close())
            self._stop()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *reason: object) -> None:
        self.shutdown()

    # ---- inside

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _request(
        self,
        sampling: SamplingParams,
        *,
        prompt: str | None = None,
        token_ids: bytes | None = None,
        n: int | None = None,
    ) -> GenerateRequest:
        return GenerateRequest(
            request_id=f"program-{next(self._ids)}",
            model=self.model,
            namespace=NAMESPACE,
            sampling=sampling,
            cache=CachePolicy(),
            prompt=prompt,
            token_ids=token_ids,
            n=n or 1,
        )

    async def _answers(self, asked: GenerateRequest, options: Options, listener: Listener | None) -> list[Answer]:
        begun = time.perf_counter()
        texts, logprobs = [""] * asked.n, [list[TextLogprob]() for _ in range(asked.n)]
        usages, reasons = [Usage()] * asked.n, [""] * asked.n
        first: float | None = None
        async with closing(self._provider.generate(asked)) as chunks:
            async for chunk in chunks:
                first = first or (time.perf_counter() if chunk.token_ids else None)
                texts[chunk.index] += chunk.text
                logprobs[chunk.index] += chunk.logprobs or ()
                usages[chunk.index] = chunk.usage or usages[chunk.index]
                reasons[chunk.index] = chunk.finish_reason or reasons[chunk.index]
                if chunk.text and listener is not None and listener(chunk.text):
                    reasons[chunk.index] = "stop"
                    break
        now = time.perf_counter()
        answers = []
        for text, logprob, usage, reason in zip(texts, logprobs, usages, reasons, strict=True):
            meta = _meta(asked, usage, reason, (first or now) - begun, now - begun)
            if options.return_logprob:
                meta["output_token_logprobs"] = [_pair(found, options) for found in logprob]
            answers.append(Answer(text, meta))
        return answers

    def _node(self, node: NodeView) -> dict[str, Any]:
        ids = tokens.unpack(node.token_ids)
        keep = node.keep
        return {
            "id": node.id,
            "parent": node.parent,
            "tokens": len(ids),
            "text": self._provider.tokenizer.decode(ids, skip_special=False),
            "hits": node.hits,
            "last_use": node.last_use,
            "locked": node.locked,
            "role": node.origin.role,
            "pin": keep is not None and keep.pin,
            "priority": keep is not None and keep.priority,
        }


async def _provider(name: str, settings: dict[str, Any]) -> LocalProvider:
    from radixa.engine.client import start_engine
    from radixa.models.chat_template import load_chat_template
    from radixa.models.prepare import prepare
    from radixa.models.tokenizer import load_tokenizer
    from radixa.providers.local.provider import LocalProvider

    folder = await asyncio.to_thread(prepare, name)
    engine = await start_engine(EngineSettings(model=str(folder.path), **settings), in_process=True)
    tokenizer = await asyncio.to_thread(load_tokenizer, folder.path)
    return LocalProvider(folder.name, engine, tokenizer, load_chat_template(folder.path))


def _sampling(options: Options) -> SamplingParams:
    found = fields(options)
    regex, schema = found.pop("regex", None), found.pop("json_schema", None)
    found.pop("n", None)
    if regex is not None:
        found["grammar"] = Grammar("regex", regex, "regex")
    elif schema is not None:
        found["grammar"] = Grammar("json_schema", msgspec.json.encode(schema).decode(), "json_schema")
    found["top_k"] = max(0, found.get("top_k", 0))
    found["stop"] = tuple(found.get("stop", ()))
    found["stop_token_ids"] = tuple(found.get("stop_token_ids", ()))
    return SamplingParams(**found)


def _meta(asked: GenerateRequest, usage: Usage, reason: str, ttft: float, seconds: float) -> dict[str, Any]:
    return {
        "id": asked.request_id,
        "model": asked.model,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "ttft": ttft,
        "e2e_latency": seconds,
        "cost_usd": 0.0,
        "saved_usd": 0.0,
        "served_by": asked.model,
        "finish_reason": {"type": reason},
    }


def _pair(found: TextLogprob, options: Options) -> tuple[float, None, str | None]:
    return found.logprob, None, found.token.decode("utf-8", "replace") if options.return_text_in_logprobs else None
