"""Steps on one CUDA device: small ones by graphs, others as they come (`base.Device`)."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from radixa.attention.graphs import GraphAttention, PlanInPlace
from radixa.engine.cuda.decoding import Period, decodes
from radixa.engine.cuda.graphs import Graphs, bucket, buckets
from radixa.engine.cuda.rows import Rows
from radixa.engine.cuda.sampling import Draw
from radixa.engine.cuda.staging import Readback, Staging, event
from radixa.engine.scheduler import Work
from radixa.engine.sequence import Sequence
from radixa.kernels.triton.greedy import greedy
from radixa.kv.base import PrefixCache
from radixa.kv.storage import KVStorage
from radixa.models.base import Decoder, DecoderInput

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


class Step:
    """`base.Launched`."""

    def __init__(
        self,
        sampled: list[Sequence],
        at: list[int],
        started: torch.cuda.Event,
        drawn: tuple[Tensor, torch.cuda.Event],
        logits: Tensor | None,
    ) -> None:
        """`at`: where in `drawn` the tokens of `sampled` are."""
        self.sampled = sampled
        self._at = at
        self._started = started
        self._tokens, self._done = drawn
        self._logits = logits

    def tokens(self) -> list[int]:
        self._done.synchronize()
        found: list[int] = self._tokens.tolist()
        return [found[row] for row in self._at]

    def logits(self) -> Tensor:
        assert self._logits is not None, "the step was launched with `logits`"
        return self._logits.cpu()

    def seconds(self) -> float:
        self._done.synchronize()
        milliseconds: float = self._started.elapsed_time(self._done)
        return milliseconds / 1000


class CudaRunner:
    """Owns the weights, the KV tensors and everything that stays at one address under the graphs.

    The storage has one slot more than the cache knows of, the last: what fills up a graph's rows writes there.
    """

    def __init__(
        self,
        decoder: Decoder,
        storage: KVStorage,
        attention: GraphAttention,
        cache: PrefixCache,
        *,
        step_rows: int,
        max_running: int,
    ) -> None:
        """`step_rows`: the most prompt tokens that one step computes."""
        device = storage.k.device
        self.decoder = decoder
        self.storage = storage
        self.attention = attention
        self._cache = cache
        self._most = max_running
        """Rows of the largest graph."""
        self._staging = Staging(step_rows + max_running, device)
        self._readback = Readback(max_running)
        self._drawn = torch.zeros(max_running, dtype=torch.int32, device=device)
        self._logits = torch.empty(max_running, decoder.config.vocab_size, dtype=torch.float32, device=device)
        self._every = torch.arange(max_running, device=device)
        self._places: dict[Sequence, int] = {}
        """Where in `_drawn` each sequence's last token is."""
        self._period: Period | None = None
        self._plans: dict[int, PlanInPlace] = {}
        self._variant: Hashable | None = None
        self._graphs = Graphs()

    @torch.inference_mode()
    def launch(self, work: list[Work], *, logits: bool) -> Step:
        started = event()
        started.record()
        rows, planned = self._rows(work)
        fits = self._planned(rows, planned)
        if not fits:
            self._period = None
            rows = Rows.of(work, self._feed)
        draw = None if logits else Draw(rows.sampled)
        found = self._replay(rows, draw) if fits else self._compute(rows, draw)
        drawn = self._readback.fetch(self._drawn[: min(len(rows), self._most)])
        return Step(rows.sampled, [self._places[s] for s in rows.sampled], started, drawn, found if logits else None)

    @torch.inference_mode()
    def capture(self) -> None:
        """Make the graphs of greedy decoding, so that no request waits for one."""
        for rows in reversed(buckets(self._most)):
            plan = self._plan(rows)
            variant = self.attention.refill(plan, [])
            nothing = np.zeros(0, np.int32)
            self._staging.send(nothing, nothing, nothing, nothing, rows, self._dummy)
            self._graphs.replay((rows, variant, True), partial(self._graphed, rows, plan, True), self._drawn)

    def _rows(self, work: list[Work]) -> tuple[Rows, bool]:
        """The step's rows, and whether the plan of the step before serves this one too."""
        if not decodes(work):
            self._period = None
            return Rows.of(work, self._feed), False
        period = self._period
        if period is None or not period.advance(work, self._cache):
            period = self._period = Period.begin(work, self._cache)
        return period.rows(self._feed), not period.first

    def _planned(self, rows: Rows, planned: bool) -> bool:
        """Whether the step's attention is planned into a graph's buffers; small steps fit there, nearly always."""
        if not planned or not self.attention.lasting:
            self._variant = None
            if len(rows) <= self._most:
                plan = self._plan(bucket(len(rows), self._most))
                self._variant = self.attention.refill(plan, rows.layouts, rows.ahead)
        return self._variant is not None

    def _replay(self, rows: Rows, draw: Draw | None) -> Tensor:
        """The step by a graph. Logits [len(sampled), vocab], where the device does not take the likeliest of them."""
        count = bucket(len(rows), self._most)
        self._staging.send(rows.token_ids, rows.positions, rows.slots, rows.feed, count, self._dummy)
        likeliest = draw is not None and not draw.random
        name = (count, self._variant, likeliest)
        self._graphs.replay(name, partial(self._graphed, count, self._plan(count), likeliest), self._drawn)
        self._places = dict(zip(rows.sampled, rows.at, strict=True))
        if likeliest:
            return self._logits
        at = self._sent(rows.at)
        logits = self._logits[at]
        if draw is not None:
            drawn = torch.empty(len(rows.sampled), dtype=torch.int32, device=logits.device)
            draw.tokens(logits, drawn)
            self._drawn[at] = drawn
        return logits

    def _graphed(self, rows: int, plan: PlanInPlace, likeliest: bool) -> None:
        """What a graph holds: from the staged numbers to `_drawn`, or to `_logits`, for every row."""
        token_ids, positions, slots, feed = self._staging.fields(rows)
        assert plan.limits is not None, "a plan from `reserve`"
        plan.limits.copy_(positions + 1)
        step = self._input(token_ids, positions, slots, feed, self._every[:rows], plan)
        logits = self.decoder.forward(step, self.storage)
        if likeliest:
            greedy(logits, self._drawn[:rows])
        else:
            self._logits[:rows].copy_(logits)

    def _compute(self, rows: Rows, draw: Draw | None) -> Tensor:
        """The step as it comes. Logits [len(sampled), vocab]."""
        plan = self.attention.plan(rows.layouts)
        self._staging.send(rows.token_ids, rows.positions, rows.slots, rows.feed, len(rows), self._dummy)
        token_ids, positions, slots, feed = self._staging.fields(len(rows))
        step = self._input(token_ids, positions, slots, feed, self._sent(rows.at), plan)
        logits = self.decoder.forward(step, self.storage)
        if rows.sampled and draw is not None:
            draw.tokens(logits, self._drawn[: len(rows.sampled)])
        self._places = {sequence: i for i, sequence in enumerate(rows.sampled)}
        return logits

    def _input(
        self, token_ids: Tensor, positions: Tensor, slots: Tensor, feed: Tensor, logit_rows: Tensor, plan: Any
    ) -> DecoderInput:
        """The decoder's input; tokens that the host does not know are taken from where they were drawn."""
        known = torch.where(feed >= 0, self._drawn[feed.clamp(min=0).long()], token_ids)
        return DecoderInput(known.long(), positions.long(), slots.long(), logit_rows, plan)

    def _sent(self, rows: list[int]) -> Tensor:
        """Numbers of rows on the device."""
        return torch.tensor(rows, dtype=torch.int64).pin_memory().to(self._drawn.device, non_blocking=True)

    def _feed(self, sequences: list[Sequence]) -> NDArray[np.int32]:
        return np.array([self._places[s] if s.unread else -1 for s in sequences], np.int32)

    def _plan(self, rows: int) -> PlanInPlace:
        if rows not in self._plans:
            self._plans[rows] = self.attention.reserve(rows)
        return self._plans[rows]

    @property
    def _dummy(self) -> int:
        return self.storage.capacity - 1
