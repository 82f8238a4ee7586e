"""A model whose answers depend on every slot it attends to, and nothing else.

Its "KV" of a token is the token's id, and the next token is a checksum of the ids it reads back through the slots of
the sequence's segments. So a slot that was overwritten, freed too early, or mapped to the wrong token changes the
answer, and the right answer is one line.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from collections.abc import Sequence as Many
from dataclasses import dataclass
from time import monotonic

import numpy as np
import torch

from radixa.attention.base import SequenceLayout
from radixa.core.tokens import pack
from radixa.engine.base import EngineInfo, EngineOutput
from radixa.engine.loop import EngineLoop
from radixa.engine.runner import Runner
from radixa.engine.scheduler import Scheduler
from radixa.engine.tiering import Tiering
from radixa.kv.caches import make_cache
from radixa.kv.storage import KVStorage
from radixa.kv.tiers.base import Tier
from radixa.kv.tiers.no_tier import NoTier
from radixa.models.base import DecoderInput

VOCAB = 97


def next_token(context: list[int]) -> int:
    return zlib.crc32(pack(context)) % VOCAB


def expected(prompt: list[int], count: int) -> list[int]:
    """The answer of `count` tokens to `prompt`."""
    context = list(prompt)
    for _ in range(count):
        context.append(next_token(context))
    return context[len(prompt) :]


class Layouts:
    """An attention backend whose plan is the layouts themselves."""

    name = "layouts"

    def plan(self, layouts: Many[SequenceLayout]) -> list[SequenceLayout]:
        return list(layouts)


@dataclass
class ContentDecoder:
    """Reads and writes token ids through the slots."""

    steps: int = 0
    computed: int = 0

    @torch.inference_mode()  # as the real one's, whose logits can be written to in that mode only
    def forward(self, step: DecoderInput, storage: KVStorage) -> torch.Tensor:
        self.steps += 1
        self.computed += len(step.token_ids)
        content = storage.k[0, 0, :, 0]
        content[step.slots] = step.token_ids.to(content.dtype)
        answers, row = {}, 0
        for layout in step.plan:
            row += layout.new
            slots = np.concatenate([np.arange(s.start, s.start + s.length) for s in layout.segments])
            context = content[torch.from_numpy(slots)].to(torch.int64).tolist()
            assert len(context) == int(step.positions[row - 1]) + 1
            assert step.slots[row - layout.new : row].tolist() == slots[len(slots) - layout.new :].tolist()
            answers[row - 1] = next_token(context)
        logits = torch.zeros(len(step.logit_rows), VOCAB)
        for i, at in enumerate(step.logit_rows.tolist()):
            logits[i, answers[at]] = 1.0
        return logits


def content_loop(
    capacity: int = 1024,
    *,
    kind: str = "radix",
    page_size: int = 1,
    step_tokens: int = 64,
    max_running: int = 16,
    max_overtakes: int = 16,
    max_waiting: int = 1024,
    context_length: int = 1 << 20,
    tier: Callable[[KVStorage], Tier] | None = None,
    clock: Callable[[], float] = monotonic,
) -> EngineLoop:
    storage = KVStorage(*(torch.full((1, 1, capacity, 1), -1, dtype=torch.float32) for _ in "kv"))
    cache = make_cache(kind, capacity=capacity, page_size=page_size, clock=clock)  # type: ignore[arg-type]
    tiering = Tiering(cache, tier(storage) if tier else NoTier(), 64 * 8)
    return EngineLoop(
        info=EngineInfo("content", "float32", context_length, VOCAB, capacity, 16, "layouts", "none"),
        runner=Runner(ContentDecoder(), storage, Layouts()),  # type: ignore[arg-type]
        cache=cache,
        scheduler=Scheduler(
            cache, tiering, step_tokens=step_tokens, max_running=max_running, max_overtakes=max_overtakes
        ),
        tokenizer=None,
        eos_token_ids=frozenset(),
        max_waiting=max_waiting,
    )


class Collected:
    """The outputs of several requests, put together."""

    def __init__(self) -> None:
        self.tokens: dict[str, list[int]] = {}
        self.last: dict[str, EngineOutput] = {}

    def add(self, outputs: list[EngineOutput]) -> None:
        for output in outputs:
            self.tokens.setdefault(output.request_id, []).extend(output.token_ids)
            if output.finish_reason is not None:
                self.last[output.request_id] = output


def drain(loop: EngineLoop, into: Collected | None = None, steps: int = 20_000) -> Collected:
    """Step until nothing is left to do."""
    collected = into or Collected()
    for _ in range(steps):
        if not loop.busy:
            return collected
        collected.add(loop.step())
    raise AssertionError(f"still busy after {steps} steps: {loop.stats()}")
