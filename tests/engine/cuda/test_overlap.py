"""The overlapped loop over a model that sees every slot: reading a step late never changes an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.base import CachePolicy, SamplingParams
from radixa.core.tokens import pack
from radixa.engine.base import EngineRequest
from radixa.engine.batch import build
from radixa.engine.cuda.overlap import OverlappedLoop
from radixa.engine.loop import EngineLoop
from radixa.engine.runner import Runner
from radixa.engine.scheduler import Work
from radixa.engine.sequence import Sequence
from tests.engine.content import Collected, content_loop, drain, expected
from tests.engine.scripts import SYSTEM, play, request, scripts


@dataclass
class Ran:
    """`cuda.base.Launched` of a step that is computed when it is first read, or when the next one is launched."""

    sampled: list[Sequence]
    compute: Callable[[], torch.Tensor]
    found: torch.Tensor | None = None

    def logits(self) -> torch.Tensor:
        if self.found is None:
            self.found = self.compute()
        return self.found

    def tokens(self) -> list[int]:
        drawn: list[int] = self.logits().argmax(-1).tolist()
        return drawn

    def seconds(self) -> float:
        return 0.001


@dataclass
class HostDevice:
    """`cuda.base.Device` in the host's memory: steps run in order, and later than they are launched."""

    runner: Runner
    last: Ran | None = None
    drawn: dict[Sequence, int] = field(default_factory=dict)
    """The last token of each sequence, whether the loop has read it or not."""

    def launch(self, work: list[Work], *, logits: bool) -> Ran:
        before = self.last
        # What the plan says of the sequences is taken now; what it computes comes later.
        batch = build(work, self.runner.attention)
        unread = {w.sequence for w in work if w.sequence.unread}

        def compute() -> torch.Tensor:
            if before is not None:
                before.logits()
            for row, sequence in zip(batch.step.logit_rows.tolist(), batch.sampled, strict=True):
                if sequence in unread:
                    batch.step.token_ids[row] = self.drawn[sequence]
            found = self.runner.forward(batch.step)
            self.drawn.update(zip(batch.sampled, found.argmax(-1).tolist(), strict=True))
            return found

        self.last = Ran(batch.sampled, compute)
        return self.last


def overlapped_loop(*args: Any, **options: Any) -> OverlappedLoop:
    plain: EngineLoop = content_loop(*args, **options)
    return OverlappedLoop(
        info=plain.info,
        runner=plain.runner,
        cache=plain.cache,
        scheduler=plain.scheduler,
        tokenizer=None,
        eos_token_ids=frozenset(),
        max_waiting=plain.max_waiting,
        device=HostDevice(plain.runner),
    )


@settings(max_examples=25, deadline=None)
@given(
    scripts(),
    st.sampled_from([220, 300, 1000]),
    st.sampled_from([1, 7, 64, 2048]),
    st.sampled_from([1, 4]),
    st.sampled_from(["radix", "force_miss", "none"]),
    st.integers(0, 3),
)
def test_every_answer_is_what_a_fresh_computation_gives(
    actions: list[tuple[Any, ...]], capacity: int, step_tokens: int, page_size: int, kind: str, every: int
) -> None:
    """`every`: one request in so many has its tokens drawn by the host."""
    loop = overlapped_loop(capacity - capacity % page_size, kind=kind, page_size=page_size, step_tokens=step_tokens)
    play(loop, actions, lambda number: {"logprobs": 0} if every and number % every == 0 else {})


def test_what_was_computed_after_the_end_is_not_kept() -> None:
    loop = overlapped_loop()
    stop = expected(SYSTEM, 4)[-1]
    loop.submit(request("one", SYSTEM, 50, stop_token_ids=(stop,)))
    first = drain(loop)
    assert first.tokens["one"] == expected(SYSTEM, 4)
    # As without overlap: the last token was never computed, as far as the cache knows.
    assert loop.stats().tree == len(SYSTEM) + 3
    loop.submit(request("two", [*SYSTEM, *first.tokens["one"], 1], 1))
    usage = drain(loop).last["two"].usage
    assert usage is not None
    assert usage.cached_tokens == len(SYSTEM) + 3


def test_nor_where_the_host_draws_in_the_step_after_the_end() -> None:
    stop = expected(SYSTEM, 4)[-1]
    for steps in range(1, 10):
        loop = overlapped_loop()
        loop.submit(request("one", SYSTEM, 50, stop_token_ids=(stop,)))
        collected = Collected()
        for _ in range(steps):
            collected.add(loop.step())
        sampling = SamplingParams(max_tokens=2, temperature=0, logprobs=0)
        policy = CachePolicy(read=False, write=False)
        loop.submit(EngineRequest("other", pack([3, 1, 4]), sampling=sampling, cache=policy))
        drain(loop, collected)
        assert collected.tokens["one"] == expected(SYSTEM, 4)
        assert collected.tokens["other"] == expected([3, 1, 4], 2)
        assert loop.stats().tree == len(SYSTEM) + 3


def test_a_step_is_launched_before_the_last_one_is_read() -> None:
    loop = overlapped_loop()
    loop.submit(request("one", SYSTEM, 5))
    seen = []
    while loop.busy:
        outputs = loop.step()
        seen.append([token for output in outputs for token in output.token_ids])
    # The prompt takes steps of 64 tokens; each token is told a step after the one that draws it.
    assert seen == [[], [], [], [], *([token] for token in expected(SYSTEM, 5))]


def test_a_request_for_no_tokens_computes_its_prompt() -> None:
    loop = overlapped_loop()
    loop.submit(request("warm", SYSTEM, 0))
    last = drain(loop).last["warm"]
    assert (last.finish_reason, last.token_ids) == ("length", ())
    assert last.usage is not None
    assert last.usage.completion_tokens == 0
    assert loop.stats().tree == len(SYSTEM)
