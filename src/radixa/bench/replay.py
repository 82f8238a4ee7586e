"""A trace against eviction policies: what each would have hit, what could have been hit, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

from radixa.bench.belady import belady, routes
from radixa.bench.ledger_trace import is_ledger, read_ledger
from radixa.bench.traces import Request, Trace, read
from radixa.core.errors import InvalidRequest
from radixa.core.progress import Progress
from radixa.core.tokens import TOKEN_BYTES, count
from radixa.radix import NOTHING, Keep, Origin, Span, Tree, policy
from radixa.radix.policies import HINTED

REPORTED_EVERY = 64
"""Requests between two calls of `progress`."""
RETENTION_BUDGET = 0.5
"""Share of the capacity that may be retained, as in a server that is not told otherwise."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians in microseconds; None where the operation never happened."""

    match_p50: float | None
    insert_p50: float | None
    evict_p50: float | None


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """One policy at one capacity. The rates count blocks on a block trace, tokens on a token trace."""

    policy: str
    capacity: int
    """In blocks on a block trace, in tokens on a token trace."""
    requests: int
    prompt_tokens: int
    hit_tokens: int
    hit_rate: float
    bound: float
    """The hit rate with an infinite cache."""
    belady: float
    """The hit rate of a cache of this capacity that knows the future."""
    timing_us: Timing
    hits: tuple[int, ...]
    """Tokens hit by each request."""

    def as_json(self, *, per_request: bool = False) -> dict[str, Any]:
        """The object of CONTRACT 6."""
        fields = {
            "policy": self.policy,
            "capacity": self.capacity,
            "requests": self.requests,
            "prompt_tokens": self.prompt_tokens,
            "hit_tokens": self.hit_tokens,
            "hit_rate": self.hit_rate,
            "bound": self.bound,
            "belady": self.belady,
            "timing_us": {
                "match_p50": self.timing_us.match_p50,
                "insert_p50": self.timing_us.insert_p50,
                "evict_p50": self.timing_us.evict_p50,
            },
        }
        return {**fields, "hits": list(self.hits)} if per_request else fields


def replay(
    trace: Path | str,
    policies: Sequence[str],
    capacities: Sequence[int],
    *,
    page_size: int = 1,
    retention_budget: float = RETENTION_BUDGET,
    api_key: str | None = None,
    progress: Progress | None = None,
) -> list[ReplayResult]:
    """Replay `trace` under every policy at every capacity, in that order: a file of requests, or a ledger, which may
    also be a database's URL or a server's, asked with `api_key`.

    A capacity is in blocks on a block trace and in tokens on a token trace; a page size is for token traces. What a
    token trace says of sessions, roles and retention is told to policies that look at it, with `retention_budget` as
    the share of the capacity that may be retained; the others do not notice it. `progress` is called as
    `progress("lru at 1,000", requests done, requests)`, for the bounds first. TraceError where it is no trace,
    ConfigError where there is no such policy, InvalidRequest where a number cannot be; its `param` names the one that
    is wrong.
    """
    for name in policies:
        policy(name)
    for capacity in capacities:
        if capacity < 1:
            raise InvalidRequest(f"capacity is {capacity}; expected at least 1", param="capacity")
    if page_size < 1:
        raise InvalidRequest(f"page size is {page_size}; expected at least 1", param="page_size")
    if not 0 <= retention_budget <= 1:
        message = f"retention budget is {retention_budget}; expected a share from 0 to 1"
        raise InvalidRequest(message, param="retention_budget")
    source = str(trace)
    loaded = read_ledger(source, api_key) if is_ledger(source) else read(Path(trace))
    if loaded.unit == "block" and page_size != 1:
        pages = f"pages of {loaded.block_tokens} tokens"
        message = f"page size is {page_size}; a block trace has {pages} already, leave it at 1"
        raise InvalidRequest(message, param="page_size")
    units = loaded.prompt_units
    bound, foreseen = _bounds(loaded, capacities, page_size, progress)
    results = []
    for name in policies:
        for capacity in capacities:
            run = _Run(loaded, name, capacity, page_size, retention_budget, progress)
            hits = tuple(_tokens(loaded, request, hit) for request, hit in zip(loaded.requests, run.hits, strict=True))
            results.append(
                ReplayResult(
                    policy=name,
                    capacity=capacity,
                    requests=len(loaded.requests),
                    prompt_tokens=loaded.prompt_tokens,
                    hit_tokens=sum(hits),
                    hit_rate=_rate(sum(run.hits), units),
                    bound=bound,
                    belady=foreseen[capacity],
                    timing_us=Timing(_micros(run.matches), _micros(run.inserts), _micros(run.evictions)),
                    hits=hits,
                )
            )
    return results


def _bounds(
    trace: Trace, capacities: Sequence[int], page_size: int, progress: Progress | None
) -> tuple[float, dict[int, float]]:
    """The hit rate of an infinite cache, and Belady's at each capacity."""
    units = trace.prompt_units
    total = len(capacities) + 1
    paths = routes(
        [(request.namespace, request.prompt, request.prompt + request.output) for request in trace.requests], page_size
    )
    bound = _rate(belady(paths, sum(paths.sizes)), units)
    if progress is not None:
        progress("bounds", 1, total)
    foreseen = {}
    for done, capacity in enumerate(capacities, 2):
        foreseen[capacity] = _rate(belady(paths, capacity), units)
        if progress is not None:
            progress("bounds", done, total)
    return bound, foreseen


class _Run:
    """One pass over a trace, and what it found: units hit by each request, nanoseconds of each operation."""

    def __init__(
        self,
        trace: Trace,
        name: str,
        capacity: int,
        page_size: int,
        retention_budget: float,
        progress: Progress | None,
    ) -> None:
        self.hits: list[int] = []
        self.matches: list[int] = []
        self.inserts: list[int] = []
        self.evictions: list[int] = []
        self._capacity = capacity
        self._hinted = name in HINTED and trace.unit == "token"
        self._time = 0.0
        # Blocks are resident one by one: each is a node of its own, so no segment is ever split and whole leaves are
        # single blocks.
        self._tree = Tree(
            NOTHING,
            page_size=page_size,
            policy=policy(name),
            max_segment=1 if trace.unit == "block" else None,
            budget=int(retention_budget * capacity),
            clock=lambda: self._time,
        )
        timed = trace.timed
        total = len(trace.requests)
        for done, request in enumerate(trace.requests, 1):
            # Without times, requests come a second apart.
            self._time = max(self._time, request.time) if timed and request.time is not None else float(done)
            self._serve(request)
            if progress is not None and (done % REPORTED_EVERY == 0 or done == total):
                progress(f"{name} at {capacity:,}", done, total)

    def _serve(self, request: Request) -> None:
        """Match the prompt, lock it, evict what is missing, insert prompt and output, unlock."""
        tree = self._tree
        whole = request.prompt + request.output
        spans = _spans(request) if self._hinted else ()
        start = perf_counter_ns()
        found = tree.match(request.prompt, request.namespace)
        self.matches.append(perf_counter_ns() - start)
        self.hits.append(found.tokens)
        tree.lock(found.node)
        tokens = count(whole)
        missing = tokens - tokens % tree.page_size - found.tokens
        short = tree.tokens + missing - self._capacity
        if short > 0:
            start = perf_counter_ns()
            short -= tree.evict(short).tokens
            self.evictions.append(perf_counter_ns() - start)
        if short > 0:
            # The request alone is more than the capacity: its leading part is kept.
            whole = whole[: (found.tokens + missing - short) * TOKEN_BYTES]
        start = perf_counter_ns()
        inserted = tree.insert(whole, None, request.namespace, spans=spans)
        self.inserts.append(perf_counter_ns() - start)
        if self._hinted and (request.ttl is not None or request.priority):
            tree.retain(inserted.node, Keep(inf if request.ttl is None else request.ttl, request.priority))
        tree.unlock(found.node)


def _spans(request: Request) -> list[Span]:
    """Whose the tokens are, as far as the request says; what was put out is the assistant's."""
    prompt = count(request.prompt)
    spans = [Span(min(end, prompt), Origin(role, request.session)) for end, role in request.roles]
    if not spans or spans[-1].end < prompt:
        spans.append(Span(prompt, Origin("", request.session)))
    return [*spans, Span(prompt + count(request.output), Origin("assistant", request.session))]


def _tokens(trace: Trace, request: Request, hit: int) -> int:
    """Tokens in `hit` leading units of a request. The last block of a prompt may be only partly filled."""
    return min(hit * trace.block_tokens, request.prompt_tokens) if trace.unit == "block" else hit


def _rate(hit: int, units: int) -> float:
    return hit / units if units else 0.0


def _micros(nanoseconds: list[int]) -> float | None:
    return round(median(nanoseconds) / 1_000, 2) if nanoseconds else None
