"""The embedded engine as a provider: template, tokens, engine requests, and one stream of chunks back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from radixa.core.base import Dialect, GenerateChunk, GenerateRequest, Message, SamplingParams, TextLogprob, TokenLogprob
from radixa.core.errors import ContextTooLong, InvalidRequest, unsupported
from radixa.engine.base import Engine, EngineRequest
from radixa.models.base import ChatTemplate, Tokenizer
from radixa.models.tools.select import tool_form
from radixa.providers.base import Embedded, EmbedRequest, Server
from radixa.providers.local.plain import plain
from radixa.providers.local.prompt import Prompt, of_messages, of_text
from radixa.providers.local.shape import Calls, Shape, offered, shape
from radixa.providers.streams import closing, merged

T = TypeVar("T")

TOKENISER_THREADS = 2
"""The tokenizer lets go of the interpreter's lock, so one long prompt does not hold up the short ones."""


class LocalProvider:
    """Implements `providers.base.Provider` over an engine of ours. `name` is the model's."""

    def __init__(self, name: str, engine: Engine, tokenizer: Tokenizer, template: ChatTemplate) -> None:
        self.name = name
        self.engine = engine
        self.tokenizer = tokenizer
        self._template = template
        self._form = tool_form(template)
        self._threads = ThreadPoolExecutor(TOKENISER_THREADS, thread_name_prefix="tokenise")

    @property
    def ready(self) -> bool:
        return self.engine.ready

    @property
    def upstreams(self) -> Sequence[Server]:
        return ()

    @property
    def dialects(self) -> frozenset[Dialect]:
        return frozenset()

    async def prepare(self, request: GenerateRequest, *, add_generation_prompt: bool = True) -> Prompt:
        """The request's prompt in tokens, in a thread beside the loop. InvalidRequest where it cannot be answered.

        Without `add_generation_prompt`, messages end where the template would open the answer.
        """
        if request.token_ids is not None:
            prompt = Prompt(request.token_ids)
        else:
            prompt = await self._in_thread(lambda: self._prompt(request, add_generation_prompt))
        self._fitted(request, prompt.tokens)
        return prompt

    async def generate(self, request: GenerateRequest, prompt: Prompt | None = None) -> AsyncIterator[GenerateChunk]:
        """`prompt`: what `prepare` made of the request, where the caller has that already."""
        if prompt is None:
            prompt = await self.prepare(request)
        sampling = self._fitted(request, prompt.tokens)
        shape = await self._in_thread(lambda: self._shape(request, sampling))
        answers = [self._answer(request, prompt, shape, index) for index in range(request.n)]
        async with closing(merged(answers)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def count_tokens(self, request: GenerateRequest) -> int:
        return (await self.prepare(request)).tokens

    async def embed(self, request: EmbedRequest) -> Embedded:
        raise unsupported("model", f"{self.name} answers in text and embeds nothing. Name a model that does.")

    async def tokenize(self, content: str | tuple[Message, ...], add_generation_prompt: bool = True) -> bytes:
        """Token ids of a text, or of messages as the chat template puts them; in a thread beside the loop."""
        return await self._in_thread(lambda: self.tokenizer.encode(self._text(content, add_generation_prompt)))

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self.engine.close()

    def _prompt(self, request: GenerateRequest, add_generation_prompt: bool) -> Prompt:
        if request.prompt is not None:
            return of_text(self.tokenizer, self._text(request.prompt))
        assert request.conversation is not None
        found = plain(request.conversation)
        tools = offered(request.conversation.tools)
        messages = tuple(self._form.messages(found.messages, tools))
        # A form may put a message of its own before the caller's.
        origins: list[int | None] = [*[None] * (len(messages) - len(found.messages)), *found.origins]
        specs = [tool.spec() for tool in tools] if self._form.in_template else []
        text = self._text(messages, add_generation_prompt, specs)
        return of_messages(
            self.tokenizer,
            self._template,
            messages,
            text,
            add_generation_prompt=add_generation_prompt,
            tools=specs,
            origins=origins,
        )

    def _shape(self, request: GenerateRequest, sampling: SamplingParams) -> Shape:
        return shape(sampling, request.conversation, self._form, self._special.get)

    @cached_property
    def _special(self) -> dict[str, int]:
        """The special tokens' ids, by how they are written."""
        ids = range(self.tokenizer.vocab_size)
        return {
            self.tokenizer.token_bytes(token_id).decode("utf-8", "replace"): token_id
            for token_id in ids
            if self.tokenizer.is_special(token_id)
        }

    def _text(
        self,
        content: str | tuple[Message, ...],
        add_generation_prompt: bool = True,
        tools: Sequence[dict[str, Any]] = (),
    ) -> str:
        if isinstance(content, str):
            text, field = content, "prompt"
        else:
            text = self._template.render(content, add_generation_prompt=add_generation_prompt, tools=tools)
            field = "messages"
        self._check_length(text, field)
        return text

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _check_length(self, text: str, field: str) -> None:
        """Refuse a text that cannot fit, however it is cut into tokens.

        Without this, a body of the largest size would take gigabytes and many seconds to be tokenised, and then be
        refused for its length.
        """
        context = self.engine.info.context_length
        if len(text) <= context:
            return
        least = len(text.encode()) // self._longest_token
        if least > context:
            raise ContextTooLong(
                f"This model's maximum context length is {context} tokens. However, your {field} resulted in at least "
                f"{least} tokens. Please reduce the length of the {field}.",
                param=field,
            )

    @cached_property
    def _longest_token(self) -> int:
        """Bytes of the vocabulary's longest token."""
        return max(len(self.tokenizer.token_bytes(token_id)) for token_id in range(self.tokenizer.vocab_size))

    def _fitted(self, request: GenerateRequest, prompt: int) -> SamplingParams:
        """The sampling parameters, their `max_tokens` within the context. ContextTooLong where that cannot be.

        A smaller KV pool than the context also bounds an answer, but that is ours, not the caller's, to know: the
        engine ends such an answer with `length`.
        """
        info = self.engine.info
        field = "prompt" if request.conversation is None else request.conversation.field
        wanted = request.sampling.max_tokens
        if not prompt:
            raise InvalidRequest(f"Invalid '{field}': it has no tokens. Expected at least one.", param=field)
        if prompt >= info.context_length:
            raise ContextTooLong(
                f"This model's maximum context length is {info.context_length} tokens. However, your {field} resulted "
                f"in {prompt} tokens, and an answer needs at least one more. Please reduce the length of the {field}.",
                param=field,
            )
        if prompt >= info.capacity:
            raise ContextTooLong(
                f"Your {field} resulted in {prompt} tokens, and this server's KV pool holds {info.capacity}. "
                f"Please reduce the length of the {field}, or start the server with more ([engine] kv_tokens).",
                param=field,
            )
        room = info.context_length - prompt
        if wanted <= room:
            return request.sampling
        if request.open_ended:
            return msgspec.structs.replace(request.sampling, max_tokens=room)
        raise ContextTooLong(
            f"This model's maximum context length is {info.context_length} tokens. However, you requested "
            f"{prompt + wanted} tokens ({prompt} in the {field}, {wanted} in the completion). "
            f"Please reduce the length of the {field} or the completion.",
            param=field,
        )

    async def _answer(
        self, request: GenerateRequest, prompt: Prompt, shape: Shape, index: int
    ) -> AsyncIterator[GenerateChunk]:
        """One of the `n` answers. With a seed each gets its own, or they would all be the same."""
        sampling, calls = shape.sampling, Calls(shape.form)
        if index and sampling.seed is not None:
            sampling = msgspec.structs.replace(sampling, seed=sampling.seed + index)
        wanted = EngineRequest(
            request_id=f"{request.request_id}-{index}",
            token_ids=prompt.token_ids,
            namespace=request.namespace,
            sampling=sampling,
            cache=request.cache,
            spans=prompt.spans,
        )
        async with closing(self.engine.generate(wanted)) as outputs:
            async for output in outputs:
                text, called, reason = calls.read(output.text, output.finish_reason)
                yield GenerateChunk(
                    index=index,
                    text=text,
                    token_ids=output.token_ids,
                    logprobs=None if output.logprobs is None else tuple(map(self._logprob, output.logprobs)),
                    finish_reason=reason,
                    usage=output.usage,
                    tool_calls=called,
                )

    def _logprob(self, found: TokenLogprob) -> TextLogprob:
        text = self.tokenizer.token_bytes
        return TextLogprob(
            text(found.token_id), found.logprob, tuple((text(token_id), value) for token_id, value in found.top)
        )
