"""The package's model as a provider: it answers `/v1/embeddings` and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import TypeVar

from radixa.core.base import Dialect, GenerateChunk, GenerateRequest, Usage
from radixa.core.errors import ContextTooLong, InvalidRequest, ModelNotFound, shown, unsupported
from radixa.providers.base import Embedded, EmbedRequest, Server
from radixa.providers.embeddings import answer_of, wanted_of
from radixa.providers.wordllama.base import DIMENSIONS, MODEL, MOST_TOKENS, MOST_TOKENS_IN_ALL
from radixa.providers.wordllama.files import Files
from radixa.providers.wordllama.model import Embedding, WordLlama

T = TypeVar("T")

SLICE_TEXTS = 64
SLICE_CHARACTERS = 100_000
"""About so much is embedded at once, in some 70 ms: then another request has its turn, and one that was left ends."""


class WordLlamaProvider:
    """Implements `providers.base.Provider`. The model is loaded by the first request, in the thread that embeds."""

    def __init__(self, name: str, files: Files) -> None:
        self.name = name
        self._files = files
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")

    @property
    def ready(self) -> bool:
        return True

    @property
    def dialects(self) -> frozenset[Dialect]:
        return frozenset()

    @property
    def upstreams(self) -> Sequence[Server]:
        return ()

    def generate(self, request: GenerateRequest) -> AsyncIterator[GenerateChunk]:
        raise _only_embeds()

    async def count_tokens(self, request: GenerateRequest) -> int:
        raise _only_embeds()

    async def embed(self, request: EmbedRequest) -> Embedded:
        """ModelNotFound for any name but the model's own: nothing is answered under a name of something else."""
        if request.model != MODEL:
            raise ModelNotFound(
                f"{self.name} has one model, {MODEL}, and none called '{shown(request.model)}'. "
                f'Set upstream_model = "{MODEL}" in its entry.',
                param="model",
            )
        wanted = await self._in_thread(lambda: wanted_of(request.body, MODEL))
        dimensions = DIMENSIONS if wanted.dimensions is None else wanted.dimensions
        if dimensions > DIMENSIONS:
            raise InvalidRequest(
                f"Invalid 'dimensions': integer above maximum value. Expected a value <= {DIMENSIONS}, but got "
                f"{dimensions} instead.",
                param="dimensions",
                code="integer_above_max_value",
            )
        place = "input" if isinstance(wanted.input, str) else "input[{}]"
        vectors: list[list[float]] = []
        tokens = 0
        for texts in _slices(wanted.texts):
            found = await self._in_thread(partial(self._embed, texts, len(vectors), dimensions, place))
            vectors += [each.vector for each in found]
            tokens += sum(each.tokens for each in found)
            if tokens > MOST_TOKENS_IN_ALL:
                raise InvalidRequest(
                    f"Invalid 'input': too many tokens. Expected at most {MOST_TOKENS_IN_ALL} in one request; the "
                    f"first {len(vectors)} inputs have {tokens}.",
                    param="input",
                    code="max_tokens_per_request",
                )
        usage = Usage(prompt_tokens=tokens)
        body = await self._in_thread(lambda: answer_of(vectors, wanted, MODEL, usage))
        return Embedded(body, usage)

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def _model(self) -> WordLlama:
        """Asked for in the one thread only, so that it is loaded once."""
        return WordLlama(self._files)

    def _embed(self, texts: list[str], at: int, dimensions: int, place: str) -> list[Embedding]:
        """The vectors of `texts`, the first of which is input `at`."""
        model, found = self._model, []
        for number, text in enumerate(texts, at):
            least = model.least_tokens(text)
            if least > MOST_TOKENS:
                raise _too_long(place.format(number), f"at least {least}")
            tokens = model.tokens(text)
            if len(tokens) > MOST_TOKENS:
                raise _too_long(place.format(number), str(len(tokens)))
            found.append(model.embed(tokens, dimensions))
        return found

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _only_embeds() -> InvalidRequest:
    return unsupported("model", f"{MODEL} embeds texts and answers nothing. Ask it at /v1/embeddings.")


def _too_long(place: str, tokens: str) -> ContextTooLong:
    return ContextTooLong(
        f"This model's maximum context length is {MOST_TOKENS} tokens. However, your {place} resulted in {tokens} "
        "tokens. Please split it, or reduce its length.",
        param=place,
    )


def _slices(texts: list[str]) -> Iterator[list[str]]:
    """The texts in order, some at a time: one, or as many as are small together."""
    found: list[str] = []
    characters = 0
    for text in texts:
        if found and (len(found) == SLICE_TEXTS or characters + len(text) > SLICE_CHARACTERS):
            yield found
            found, characters = [], 0
        found.append(text)
        characters += len(text)
    yield found
