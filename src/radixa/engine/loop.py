"""The engine's loop: requests in, one step at a time, outputs out. It knows nothing of processes and sockets."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from time import monotonic, perf_counter

import msgspec

from radixa.core import tokens as token_ids
from radixa.core.base import Explanation, FinishReason, SamplingParams
from radixa.core.errors import ContextTooLong, EngineUnavailable, InvalidRequest, RadixaError
from radixa.engine.base import Changes, EngineInfo, EngineOutput, EngineRequest, EngineStats, Fault, TreePage, TreeQuery
from radixa.engine.batch import build
from radixa.engine.compiling import Compiling
from radixa.engine.counters import Counters
from radixa.engine.events.base import Events
from radixa.engine.events.make import NoEvents
from radixa.engine.grammar import Grammars
from radixa.engine.runner import Runner
from radixa.engine.sampler import Sampled, sample
from radixa.engine.scheduler import Scheduler
from radixa.engine.sequence import Sequence
from radixa.engine.text import TextStream
from radixa.engine.walks import Walks
from radixa.engine.watching import Watching
from radixa.kv.base import PrefixCache
from radixa.kv.tiers.base import TierStats
from radixa.models.base import Tokenizer

log = logging.getLogger("radixa.engine")

CLOSE_SECONDS = 3.0
"""What an engine that is told to stop may still take to write."""


@dataclass(slots=True)
class EngineLoop:
    """One model replica. Not thread-safe: whoever owns it calls `submit`, `abort` and `step` in turn."""

    info: EngineInfo
    runner: Runner
    cache: PrefixCache
    scheduler: Scheduler
    tokenizer: Tokenizer | None
    eos_token_ids: frozenset[int]
    max_waiting: int
    grammars: Grammars | None = None
    """None where the model has no tokenizer: then no grammar can be kept to."""
    events: Events = field(default_factory=NoEvents)
    watching: Watching = field(default_factory=Watching)
    """A listener of the cache's tree."""
    clock: Callable[[], float] = monotonic
    """The cache's."""
    counters: Counters = field(default_factory=Counters)
    compiling: Compiling = field(init=False)
    _sequences: dict[str, Sequence] = field(default_factory=dict)
    stalled: bool = False
    """Whether the last step had nothing to compute, although there are requests."""
    _walks: Walks = field(default_factory=Walks)

    def __post_init__(self) -> None:
        self.compiling = Compiling(self.grammars)

    @property
    def busy(self) -> bool:
        return self.scheduler.busy or len(self.compiling) > 0

    @property
    def waiting(self) -> int:
        """Requests that wait: for their turn, for the disk, or for their grammar."""
        return len(self.scheduler.waiting) + self.scheduler.tiering.held + len(self.compiling)

    @property
    def limit(self) -> int:
        """Tokens that a prompt and its answer may have together."""
        return min(self.info.context_length, self.info.capacity)

    def submit(self, request: EngineRequest) -> EngineOutput | None:
        """Queue a request. Returns its last output at once where it cannot be served."""
        try:
            self._check(request)
        except RadixaError as error:
            return EngineOutput(request.request_id, finish_reason="error", fault=Fault.of(error))
        skip_special = not request.sampling.special_text
        decoder = self.tokenizer.stream(skip_special=skip_special) if self.tokenizer else None
        text = TextStream(decoder, request.sampling.stop)
        sequence = Sequence.start(request, self.scheduler.next_order(), self.limit, text)
        self._sequences[request.request_id] = sequence
        if request.sampling.grammar is None:
            self._start(sequence)
        else:
            self.compiling.add(sequence)
        return None

    def _start(self, sequence: Sequence) -> None:
        self.scheduler.add(sequence)
        self.counters.queued(sequence)

    def _take_compiled(self) -> list[EngineOutput]:
        """Queue what waited for its grammar; the last outputs of those whose grammar cannot be."""
        refused = []
        for sequence, error in self.compiling.take():
            if error is None:
                self._start(sequence)
            else:
                del self._sequences[sequence.request.request_id]
                refused.append(_failed(sequence.request.request_id, error))
        return refused

    def abort(self, request_id: str) -> None:
        """The client left: the request ends here and its slots come back. Unknown ids are those that just ended."""
        sequence = self._sequences.pop(request_id, None)
        if sequence is not None and not self.compiling.forget(sequence):
            self.scheduler.end(sequence)

    def step(self) -> list[EngineOutput]:
        """Compute one step and return what it produced."""
        refused = self._take_compiled()
        work = self.scheduler.plan()
        self.stalled = not work
        if not work:
            return refused
        batch = build(work, self.runner.attention)
        masks = None if self.grammars is None else self.grammars.masks([s.constraint for s in batch.sampled])
        started = perf_counter()
        logits = self.runner.forward(batch.step)
        prompts = sum(w.tokens for w in work if w.tokens > 1 and w.sequence.computed < w.sequence.prompt_tokens)
        self.scheduler.tiering.measured(prompts, perf_counter() - started)
        self.counters.step(work)
        self.scheduler.computed(work)
        if not batch.sampled:
            return refused
        sampled = sample(logits, batch.sampled, None if masks is None else masks())
        return refused + [self._output(s, token) for s, token in zip(batch.sampled, sampled, strict=True)]

    def close(self) -> None:
        """Let what waits to be written to disk be written, and what waits to be told be told, within reason."""
        self.scheduler.tiering.close(CLOSE_SECONDS)
        if self.grammars is not None:
            self.grammars.close()
        self.events.close()

    def stats(self) -> EngineStats:
        held, tier = self.cache.stats(), self.scheduler.tiering.tier
        below = {tier.kind: tier.stats()}
        return EngineStats(
            **asdict(self.counters),
            running=len(self.scheduler.running),
            waiting=self.waiting,
            capacity=held.capacity,
            free=held.free,
            tree=held.tree,
            leased=held.leased,
            evictable=held.evictable,
            nodes=held.nodes,
            evicted_tokens=held.evicted,
            retractions=self.scheduler.retractions,
            retained=held.retained,
            retention_budget=held.retention_budget,
            expired_tokens=held.expired,
            yielded_tokens=held.yielded,
            flushed_tokens=held.flushed,
            namespaces=self.cache.namespaces(),
            host=below.get("host", TierStats()),
            disk=below.get("disk", TierStats()),
            events=self.events.stats(),
        )

    def flush(self) -> int:
        """Drop all that is not in use, at once; returns the tokens dropped."""
        return sum(self.cache.flushing())

    def tree(self, wanted: TreeQuery) -> TreePage:
        """The next nodes of a walk. NotFound for a cursor that is not known any more, or is of another namespace's."""
        return self._walks.page(self.cache, wanted)

    def changes(self) -> Changes:
        """What happened to the tree since this was asked last."""
        return self.watching.changes(self.clock(), self.cache.locked())

    def explain(self, token_ids: bytes, namespace: str, *, read: bool) -> Explanation:
        below = self.scheduler.tiering.below(token_ids, namespace) if read and self.cache.shares else 0
        found = self.cache.explain(token_ids, namespace, read=read, below=below)
        if self.scheduler.tiering.tier.kind == "host":
            # The cache does not know what is below it, and calls it the disk.
            return msgspec.structs.replace(found, host_tokens=found.disk_tokens, disk_tokens=0)
        return found

    def _check(self, request: EngineRequest) -> None:
        prompt = token_ids.count(request.token_ids)
        if not prompt:
            raise InvalidRequest("the prompt is empty: expected at least one token", param="prompt")
        if prompt >= self.info.context_length:
            raise ContextTooLong(
                f"This model's maximum context length is {self.info.context_length} tokens, "
                f"and the prompt has {prompt}; at least one token must be left for the answer.",
                param="messages",
            )
        if prompt >= self.info.capacity:
            raise ContextTooLong(
                f"The prompt has {prompt} tokens and the KV pool {self.info.capacity} slots: "
                "start the server with more ([engine] kv_tokens).",
                param="messages",
            )
        highest = max(token_ids.unpack(request.token_ids))
        if highest >= self.info.vocab_size or min(token_ids.unpack(request.token_ids)) < 0:
            raise InvalidRequest(f"token ids must be from 0 to {self.info.vocab_size - 1}", param="prompt")
        if request.sampling.stop and self.tokenizer is None:
            raise InvalidRequest("this model has no tokenizer, so stop strings cannot be found", param="stop")
        if request.sampling.grammar is not None and not self.compiling.possible:
            raise InvalidRequest(
                "this model has no tokenizer, so it can keep to no grammar", param=request.sampling.grammar.place
            )
        if request.request_id in self._sequences:
            raise InvalidRequest(f"request id {request.request_id} is in use", param="request_id")
        if self.waiting >= self.max_waiting:
            raise EngineUnavailable(
                f"{self.max_waiting} requests are waiting already; try again later", code="server_is_overloaded"
            )

    def _output(self, sequence: Sequence, sampled: Sampled | Exception) -> EngineOutput:
        """What a step came to for one sequence. What goes wrong with it ends it, and nobody else (law 9)."""
        try:
            if isinstance(sampled, Exception):
                raise sampled
            return self._advance(sequence, sampled) if sequence.max_tokens else self._warmed(sequence)
        except Exception as error:  # noqa: BLE001 - it is logged, and told to whoever asked
            request_id = sequence.request.request_id
            if self._sequences.pop(request_id, None) is not None:
                self.scheduler.discard(sequence)
            return _failed(request_id, error)

    def _advance(self, sequence: Sequence, sampled: Sampled) -> EngineOutput:
        """Append the token, and those that a grammar forces after it; decide whether the answer ends with one of them,
        and say what the client gets to see."""
        first = not sequence.generated
        if first:
            self.counters.found(sequence.usage)
        before = sequence.generated
        text, reason = self._append(sequence, sampled.token)
        # What is forced needs no logits, so its KV is computed in one step for all; log-probabilities would need them.
        if reason is None and sequence.constraint is not None and sampled.logprob is None:
            for token in sequence.constraint.forced():
                # As if it had been drawn: what follows is the same with log-probabilities and without.
                sequence.random.random()
                more, reason = self._append(sequence, token)
                text += more
                if reason is not None:
                    break
        known = sequence.prompt_tokens + sequence.generated
        tokens = tuple(sequence.ids(sequence.prompt_tokens + before, known))
        self.counters.generated_tokens += len(tokens)
        if reason is not None:
            text += sequence.text.flush()
            sequence.drop_unread()
            self.scheduler.end(sequence)
            del self._sequences[sequence.request.request_id]
        return EngineOutput(
            request_id=sequence.request.request_id,
            text=text,
            token_ids=tokens,
            logprobs=None if sampled.logprob is None else (sampled.logprob,),
            finish_reason=reason,
            # With the first token too: what the prompt cost is known, whatever becomes of the answer.
            usage=sequence.usage if reason is not None or first else None,
        )

    def _append(self, sequence: Sequence, token: int) -> tuple[str, FinishReason | None]:
        """The answer goes on by a token: the text that became certain, and why it ends, if it does."""
        sequence.append(token)
        constraint = sequence.constraint
        if self._stops(token, sequence.request.sampling) and (constraint is None or constraint.accepting):
            return "", "stop"
        if constraint is not None:
            constraint.accept(token)
        text = sequence.text.add(token)
        if sequence.text.stopped or (constraint is not None and constraint.complete):
            return text, "stop"
        return text, "length" if sequence.generated >= sequence.max_tokens else None

    def _warmed(self, sequence: Sequence) -> EngineOutput:
        """The prompt is computed, and that was all that was asked."""
        self.counters.found(sequence.usage)
        sequence.drop_unread()
        self.scheduler.end(sequence)
        del self._sequences[sequence.request.request_id]
        return EngineOutput(sequence.request.request_id, finish_reason="length", usage=sequence.usage)

    def _stops(self, token: int, params: SamplingParams) -> bool:
        return token in params.stop_token_ids or (token in self.eos_token_ids and not params.ignore_eos)


def _failed(request_id: str, error: Exception) -> EngineOutput:
    """The last output of a request that cannot be answered. What is not about the request itself is ours."""
    if not isinstance(error, RadixaError):
        log.error("request %s failed", request_id, exc_info=error)
        error = RadixaError("the engine failed while it answered this request")
    return EngineOutput(request_id, finish_reason="error", fault=Fault.of(error))
