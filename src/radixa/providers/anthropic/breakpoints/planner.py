"""Where breakpoints go: the prompts of late in a tree, and what they say of the one at hand."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import NamedTuple

import msgspec

from radixa.core.base import CachePolicy, Usage
from radixa.providers.anthropic.breakpoints.base import LOOKBACK, MOST, SAFETY, SECONDS, Mark, Prompt, Ttl
from radixa.providers.anthropic.breakpoints.blocks import read
from radixa.providers.anthropic.breakpoints.choice import Candidate, choose
from radixa.providers.anthropic.breakpoints.minimums import least_tokens
from radixa.providers.anthropic.breakpoints.placing import placed
from radixa.providers.anthropic.breakpoints.returns import NEVER, Chance, Kind
from radixa.providers.anthropic.breakpoints.stretch import STRETCHES, End, Hope, Stretch, fresh
from radixa.providers.size import BYTES_A_TOKEN
from radixa.radix import Node, Tree, account

MAX_NODES = 16_384
"""Of the tree; the prompts used longest ago go first."""
MAX_BLOCKS = 400_000
MAX_ACCOUNTS = 64
"""Whose return times are known at once."""
_TURNS = (1, 2, 4, 8)
"""The user's messages up to which prompts are told apart."""


class Placed(NamedTuple):
    """A body with its breakpoints, and what `settle` must know."""

    fields: dict[str, msgspec.Raw]
    marks: tuple[Mark, ...]
    model: str
    weight: int
    """Of the whole prompt, in bytes."""
    ends: tuple[tuple[End, float, Ttl], ...]
    """For each mark, what was known of Anthropic's entry there before."""


class _Account:
    """How soon an account's prompts come back, by kind and by how far the conversation is."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, int], Kind] = {}

    def kind(self, name: str, turns: int = 0) -> Kind:
        found = self._kinds.get((name, turns))
        if found is None:
            found = self._kinds[name, turns] = Kind(self.kind(name) if turns else None)
        return found


class Breakpoints:
    """Places breakpoints by what it has seen. Nothing is kept of a prompt but hashes of its blocks.

    `clock`: seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tree: Tree[Stretch] = Tree(STRETCHES, clock=clock)
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._sizes: dict[str, tuple[float, float]] = {}
        """Bytes and tokens of prompts, by model."""

    def place(self, fields: Mapping[str, msgspec.Raw], namespace: str, model: str, cache: CachePolicy) -> Placed | None:
        """The body's fields with breakpoints in them.

        None where the body is not ours to change: it has breakpoints of its own, the caller wants nothing kept, or it
        is not a body that Anthropic takes. Where nothing pays, there are no `marks`, and the fields are as they came.
        """
        if cache.explicit or not (cache.read and cache.write):
            return None
        prompt = read(fields)
        if prompt is None:
            return None
        now = self._clock()
        ends, candidates, cached = self._seen(prompt, namespace, model, now)
        entry = ends[cached] if cached >= 0 else None
        marks = self._chosen(prompt, candidates, cached, "5m" if entry is None else entry.ttl, model, cache)
        marks = _in_order(marks, ends, now)
        before = []
        for mark in marks:
            end = ends[mark.position]
            assert end is not None
            before.append((end, end.until, end.ttl))
            if end.until > now:
                end.write(end.ttl, now)
            else:
                end.write(mark.ttl, now)
        changed = placed(fields, prompt.places, marks) if marks else dict(fields)
        return Placed(changed, marks, model, sum(prompt.weights), tuple(before))

    def settle(self, done: Placed, usage: Usage | None) -> None:
        """Learn what Anthropic counted; None where the request failed, so that nothing was kept."""
        if usage is None or usage.estimated:
            kept = False
        else:
            held, tokens = self._sizes.get(done.model, (0.0, 0.0))
            if usage.prompt_tokens and done.weight:
                self._sizes[done.model] = (0.9 * held + done.weight, 0.9 * tokens + usage.prompt_tokens)
            kept = usage.cached_tokens + usage.cache_write_tokens > 0
        if not kept:
            for end, until, ttl in done.ends:
                # What was there before may be there still, if the request never got so far.
                end.until, end.ttl = (until, ttl) if usage is None else (0.0, ttl)

    # ---- what is known

    def _seen(
        self, prompt: Prompt, namespace: str, model: str, now: float
    ) -> tuple[list[End | None], list[tuple[int, Hope]], int]:
        """Note that the prompt was asked.

        The ends of all its blocks; positions where others left it, or may, with the chance that the prompt up to there
        comes back; and the last position that Anthropic has in its cache, -1 without one.
        """
        tree = self._tree
        space = f"{namespace}/{model}"
        found = tree.match(prompt.key, space)
        path = found.node.path()
        for node in path:
            node.payload.visit(now)
        kinds = self._account(namespace)
        news = self._news(prompt, found.tokens)
        new: list[End | None] = [None] * (len(prompt.weights) - found.tokens)
        for position, (name, turns) in news.items():
            kind = kinds.kind(name, turns)
            new[position - found.tokens] = End(kind, kind.first.begin(now))
        leaf = tree.insert(prompt.key, Stretch(new, now), space, start=found.tokens).node
        if tree.nodes > MAX_NODES or tree.tokens > MAX_BLOCKS:
            self._shrink(leaf)
        candidates, cached = self._known(path, now)
        candidates += [(position, fresh(new[position - found.tokens], now)) for position in sorted(news)]
        ends: list[End | None] = []
        for node in path:
            ends += node.payload.ends
        return ends + new, candidates, cached

    def _known(self, path: list[Node[Stretch]], now: float) -> tuple[list[tuple[int, Hope]], int]:
        """Positions in what was seen before: where prompts part, where the last one ended, and what is cached."""
        candidates = []
        cached = -1
        for node in path:
            stretch = node.payload
            last = len(stretch.ends) - 1
            if len(node.children) != 1 or node is path[-1]:
                end = stretch.ends[last]
                if end is None:
                    end = stretch.ends[last] = End()
                candidates.append((node.depth + last, stretch.hope(end, now)))
            for offset, end in enumerate(stretch.ends):
                if end is not None and end.until > now + SAFETY:
                    cached = node.depth + offset
        if cached >= 0 and all(position != cached for position, _ in candidates):
            node = next(node for node in path if node.depth <= cached < node.end)
            end = node.payload.ends[cached - node.depth]
            candidates.append((cached, node.payload.hope(end, now)))
            candidates.sort(key=lambda candidate: candidate[0])
        return candidates, cached

    def _news(self, prompt: Prompt, start: int) -> dict[int, tuple[str, int]]:
        """Positions from `start` on where this prompt and later ones may part, each with its kind."""
        last = len(prompt.weights) - 1
        turns = next((number for number, most in enumerate(_TURNS, 1) if prompt.turns <= most), len(_TURNS) + 1)
        large = max(range(prompt.last_system + 1, last + 1), key=prompt.weights.__getitem__, default=-1)
        found: dict[int, tuple[str, int]] = {}
        for position, kind in (
            (prompt.last_tool, ("tools", 0)),
            (prompt.last_system, ("system", 0)),
            (large, ("large", turns)),
            (last - 1, ("before", turns)),
            (last, ("end", turns)),
        ):
            while position >= start and not prompt.markable[position]:
                position -= 1
            if position >= start:
                found[position] = kind
        return found

    # ---- deciding

    def _chosen(
        self, prompt: Prompt, known: list[tuple[int, Hope]], cached: int, held: Ttl, model: str, cache: CachePolicy
    ) -> tuple[Mark, ...]:
        size, tokens = self._sizes.get(model, (BYTES_A_TOKEN, 1.0))
        rate = tokens / size
        sums = [total * rate for total in accumulate(prompt.weights)]
        least = least_tokens(model)
        candidates: list[Candidate] = []
        hope = Hope(NEVER, NEVER)
        for position, own in reversed(known):
            # Whoever goes farther comes through here as well.
            hope = Hope(_larger(own.next, hope.next), _larger(own.then, hope.then))
            if prompt.markable[position] and sums[position] >= least:
                candidates.append(Candidate(position, sums[position], hope))
        candidates.reverse()
        if not candidates:
            return ()
        marks = self._wanted(candidates, sums[cached] if cached >= 0 else 0.0, held, cache)
        return _reaching(marks, cached if candidates and cached >= candidates[0].position else -1)

    def _wanted(self, candidates: list[Candidate], cached: float, held: Ttl, cache: CachePolicy) -> tuple[Mark, ...]:
        if cache.ttl is not None or cache.pin:
            # The caller wants it kept, whatever that costs.
            ttl: Ttl = "5m" if cache.ttl is not None and cache.ttl <= SECONDS["5m"] and not cache.pin else "1h"
            chosen = candidates if len(candidates) <= MOST else [candidates[0], *candidates[1 - MOST :]]
            return tuple(Mark(candidate.position, ttl) for candidate in chosen)
        marks = choose(candidates, cached, held)
        return tuple(Mark(mark.position, "1h") for mark in marks) if cache.priority else marks

    # ---- bounds

    def _account(self, namespace: str) -> _Account:
        name = account(namespace)
        found = self._accounts.get(name)
        if found is None:
            found = self._accounts[name] = _Account()
            if len(self._accounts) > MAX_ACCOUNTS:
                self._accounts.popitem(last=False)
        else:
            self._accounts.move_to_end(name)
        return found

    def _shrink(self, leaf: Node[Stretch]) -> None:
        """Drop what was used longest ago, but not the prompt at hand."""
        tree = self._tree
        tree.lock(leaf)
        while (tree.nodes > MAX_NODES or tree.tokens > MAX_BLOCKS) and tree.evict(1).tokens:
            pass
        tree.unlock(leaf)


def _in_order(marks: tuple[Mark, ...], ends: list[End | None], now: float) -> tuple[Mark, ...]:
    """The marks with those of an hour first: where there is an entry of an hour, it stays one."""
    found: list[Mark] = []
    long = False
    for position, ttl in reversed(marks):
        end = ends[position]
        long = long or ttl == "1h" or (end is not None and end.until > now and end.ttl == "1h")
        found.append(Mark(position, "1h" if long else ttl))
    return tuple(reversed(found))


def _larger(one: Chance, other: Chance) -> Chance:
    return Chance(max(one.short, other.short), max(one.long, other.long))


def _reaching(marks: tuple[Mark, ...], cached: int) -> tuple[Mark, ...]:
    """The marks, with one from which Anthropic finds the entry at position `cached`, if there is one."""
    if cached < 0 or any(0 <= mark.position - cached < LOOKBACK for mark in marks):
        return marks
    before = [mark for mark in marks if mark.position < cached]
    after = [mark for mark in marks if mark.position > cached]
    ttl: Ttl = after[0].ttl if after else "5m"
    if after and len(marks) == MOST:
        before = before[1:] or before
        after = after[-(MOST - 1 - len(before)) :]
    elif len(marks) == MOST:
        before = before[1:]
    return (*before, Mark(cached, ttl), *after)
