"""Anthropic's prompt cache as its documentation describes it, without HTTP: bodies in, counts out.

What is documented: at most four breakpoints; an entry at each, a hash of all blocks up to there; a breakpoint looks for
entries at its own block and the 19 before; the longest entry found is read; what follows it is written up to the last
breakpoint, at the price of an hour up to the last breakpoint of an hour; entries end 5 minutes or an hour after their
last use; those of an hour stand before those of 5 minutes; below a minimum nothing is kept, without an error.

What is not documented is supposed so that it favours nobody: an entry keeps the TTL that it was written with, and only
entries at a request's own breakpoints, and the one that it read, count as used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

MINIMUMS = {"claude-opus-5": 512, "claude-sonnet-4-5": 1_024, "claude-haiku-4-5": 4_096}
SECONDS = {"5m": 300.0, "1h": 3_600.0}
IMAGE_TOKENS = 1_500


class Invalid(Exception):
    """A body that Anthropic answers with a 400; the text is its message."""


class Counts(NamedTuple):
    """A prompt's tokens, by what became of them."""

    plain: int
    written_5m: int
    written_1h: int
    read: int

    @property
    def total(self) -> int:
        return sum(self)

    @property
    def cost(self) -> float:
        """In input tokens."""
        return self.plain + 1.25 * self.written_5m + 2.0 * self.written_1h + 0.1 * self.read


class Block(NamedTuple):
    where: str
    tokens: int
    held: str
    """What it holds, and under which settings: equal for blocks that are the same."""
    control: dict[str, Any] | None
    markable: bool


class Entry:
    def __init__(self, ttl: str) -> None:
        self.ttl = ttl
        self.until = 0.0

    def use(self, now: float) -> None:
        self.until = now + SECONDS[self.ttl]


class AnthropicCache:
    """`clock`: seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[bytes, Entry] = {}

    def ask(self, body: dict[str, Any]) -> Counts:
        """What a request with that body counts; Invalid for one that Anthropic refuses."""
        blocks = list(blocks_of(body))
        marks = _marks(blocks, body)
        now = self._clock()
        prefixes, sums = [], []
        digest, total = body["model"].encode(), 0
        for block in blocks:
            digest = hashlib.sha256(digest + block.held.encode()).digest()
            total += block.tokens
            prefixes.append(digest)
            sums.append(total)
        least = next((least for name, least in MINIMUMS.items() if body["model"].startswith(name)), 1_024)
        marks = [(at, ttl) for at, ttl in marks if sums[at] >= least]
        if not marks:
            return Counts(total, 0, 0, 0)
        found = [
            at
            for mark, _ in marks
            for at in range(max(0, mark - 19), mark + 1)
            if prefixes[at] in self._entries and self._entries[prefixes[at]].until > now
        ]
        read = max(found, default=-1)
        if read >= 0:
            self._entries[prefixes[read]].use(now)
        for at, ttl in marks:
            entry = self._entries.get(prefixes[at])
            if entry is None or entry.until <= now:
                entry = self._entries[prefixes[at]] = Entry(ttl)
            entry.use(now)
        begin = sums[read] if read >= 0 else 0
        long = max([begin, *(sums[at] for at, ttl in marks if ttl == "1h")])
        end = max(begin, sums[marks[-1][0]])
        return Counts(total - end, end - long, long - begin, begin)


def blocks_of(body: dict[str, Any]) -> Iterator[Block]:
    """The blocks of a body in the order of its prompt."""
    for index, tool in enumerate(body.get("tools") or ()):
        yield _block(f"tools.{index}", tool, "tools")
    system = body.get("system") or ()
    for index, item in enumerate(_list(system)):
        yield _block(f"system.{index}", item, "system")
    settings = json.dumps([body.get(name) for name in ("tool_choice", "thinking", "output_config")], sort_keys=True)
    for index, message in enumerate(body["messages"]):
        for part, item in enumerate(_list(message["content"])):
            yield _block(f"messages.{index}.content.{part}", item, f"{settings} {message['role']}")


def tokens_of(body: dict[str, Any]) -> int:
    """Tokens of a body's prompt: a quarter of the characters of its texts, or of other blocks' JSON."""
    return sum(block.tokens for block in blocks_of(body))


def _list(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _block(where: str, item: dict[str, Any], under: str) -> Block:
    rest = {name: value for name, value in item.items() if name != "cache_control"}
    kind = item.get("type", "")
    held = json.dumps(rest, sort_keys=True)
    if kind == "text":
        tokens = -(-len(item["text"]) // 4)
    elif kind == "image":
        tokens = IMAGE_TOKENS
    else:
        tokens = -(-len(held) // 4)
    markable = kind not in ("thinking", "redacted_thinking") and not (kind == "text" and not item["text"])
    return Block(where, tokens, f"{under} {held}", item.get("cache_control"), markable)


def _marks(blocks: list[Block], body: dict[str, Any]) -> list[tuple[int, str]]:
    """The breakpoints, in order; Invalid where they break a rule."""
    marks = []
    for at, block in enumerate(blocks):
        if block.control is None:
            continue
        if not block.markable:
            raise Invalid(f"{block.where}.cache_control: cache_control cannot be set for this block")
        ttl = block.control.get("ttl", "5m")
        if block.control.get("type") != "ephemeral" or ttl not in SECONDS or set(block.control) - {"type", "ttl"}:
            raise Invalid(f"{block.where}.cache_control: Input should be ephemeral, with a ttl of 5m or 1h")
        marks.append((at, ttl, block.where))
    top = body.get("cache_control")
    if top is not None:
        last = max(at for at, block in enumerate(blocks) if block.markable)
        if all(at != last for at, _, _ in marks):
            marks.append((last, top.get("ttl", "5m"), "cache_control"))
    if len(marks) > 4:
        raise Invalid(f"A maximum of 4 blocks with cache_control may be provided. Found {len(marks)}.")
    for (_, first, _), (_, second, where) in pairwise(marks):
        if first == "5m" and second == "1h":
            raise Invalid(
                f"{where}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: `tools`, `system`, "
                "`messages`."
            )
    return [(at, ttl) for at, ttl, _ in marks]
