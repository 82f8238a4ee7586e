"""Breakpoints of the gateway's own: where they stand, and where none may."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.base import CachePolicy, Usage
from radixa.providers.anthropic.breakpoints import Breakpoints, Placed, planner
from radixa.providers.anthropic.provider import AnthropicProvider
from tests.providers.anthropic.conftest import MODEL, Clock, asked, marks_of, raw
from tests.providers.asking import chunks_of, said
from tests.upstreams.anthropic import AnthropicStandIn
from tests.upstreams.anthropic_cache import AnthropicCache, Counts, blocks_of
from tests.upstreams.base import Fault

SYSTEM = "You are the assistant of a shop. " * 100
Body = dict[str, Any]


class Shop:
    """Bodies through the breakpoints and the stand-in's cache."""

    def __init__(self, model: str = MODEL) -> None:
        self.clock = Clock()
        self.model = model
        self.breakpoints = Breakpoints(self.clock)
        self.cache = AnthropicCache(self.clock)

    def place(self, body: Body, policy: CachePolicy | None = None, namespace: str = "a") -> Placed | None:
        fields = msgspec.json.decode(msgspec.json.encode(body), type=dict[str, msgspec.Raw])
        return self.breakpoints.place(fields, namespace, self.model, policy or CachePolicy())

    def ask(self, body: Body, policy: CachePolicy | None = None, namespace: str = "a") -> tuple[list[str], Counts]:
        done = self.place(body, policy, namespace)
        assert done is not None
        sent = msgspec.json.decode(msgspec.json.encode(done.fields))
        counts = self.cache.ask({"model": self.model} | sent)
        self.breakpoints.settle(done, usage_of(counts))
        assert unmarked(sent) == unmarked(body)
        return marks_of(sent), counts


def usage_of(counts: Counts) -> Usage:
    return Usage(counts.total, counts.read, counts.written_5m + counts.written_1h, 1)


def unmarked(body: Body) -> list[tuple[str, str]]:
    return [(block.where, block.held) for block in blocks_of(body)]


def talk(*texts: str, system: str = SYSTEM) -> Body:
    messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]
    return {"system": system, "messages": messages}


def long(name: str, tokens: int = 800) -> str:
    return (f"{name} said: " + "and so on " * tokens)[: 4 * tokens]


def test_one_shot_prompts_get_none() -> None:
    shop = Shop()
    for number in range(200):
        shop.clock.now += 5
        assert shop.ask(talk(long(f"{number}"), system=long(f"system {number}")))[0] == []


def test_a_system_prompt_that_comes_again_is_kept() -> None:
    shop = Shop()
    assert shop.ask(talk("one"))[0] == []
    shop.clock.now += 10
    assert shop.ask(talk("two"))[0] == ["system[0] 5m"]
    shop.clock.now += 10
    marks, counts = shop.ask(talk("three"))
    assert marks == ["system[0] 5m"]
    assert counts.read == 825


def test_a_conversation_reads_its_last_turn_and_writes_the_new_one() -> None:
    shop = Shop()
    for number in range(8):
        texts: list[str] = []
        for turn in range(5):
            texts.append(long(f"customer {number} turn {turn}", 100))
            shop.clock.now += 30
            marks, counts = shop.ask(talk(*texts))
            texts.append(long(f"answer {number} {turn}", 50))
            if number == 7 and 0 < turn < 4:
                # Read up to the last turn's end, written from there on.
                assert marks[-1] == f"messages[{2 * turn}][0] 5m"
                assert counts.read == 825 + turn * 150 - 50
                assert counts.plain == 0
    # Nobody has ever gone on after a fifth turn.
    assert marks[-1] == "messages[6][0] 5m"
    assert counts.plain > 0


def test_returns_after_ten_minutes_are_kept_for_an_hour() -> None:
    shop = Shop()
    marks: list[str] = []
    for number in range(6):
        texts = [long(f"customer {number}")]
        for turn in range(4):
            shop.clock.now += 600
            marks, _ = shop.ask(talk(*texts, system=long(f"system {number}")))
            texts += [f"answer {turn}", long(f"question {turn}", 100)]
    assert marks
    assert all(mark.endswith("1h") for mark in marks)


def test_a_question_on_the_same_documents() -> None:
    shop = Shop()

    def body(document: int, question: int) -> Body:
        parts = [{"type": "text", "text": long(f"document {document}")}, {"type": "text", "text": f"Why {question}?"}]
        return {"system": "Answer.", "messages": [{"role": "user", "content": parts}]}

    for document in range(6):
        for question in range(5):
            shop.clock.now += 20
            marks, counts = shop.ask(body(document, question))
    assert marks == ["messages[0][0] 5m"]
    assert counts.read > 800
    shop.clock.now += 20
    # By now it is known of new documents too that they will be asked about again.
    assert shop.ask(body(99, 0))[0] == ["messages[0][0] 5m"]


@pytest.mark.parametrize(("model", "kept"), [("claude-opus-5", True), ("claude-sonnet-4-5", False)])
def test_below_a_models_minimum_none_stands(model: str, kept: bool) -> None:
    shop = Shop(model)
    for number in range(5):
        shop.clock.now += 10
        marks, _ = shop.ask(talk(f"question {number}", system=long("system", 700)))
    assert bool(marks) is kept


def test_an_entry_more_than_twenty_blocks_back_is_still_read() -> None:
    shop = Shop()
    texts: list[str] = []
    for _ in range(6):
        texts += [long(f"{len(texts)} {i}", 40) for i in range(25)]
        shop.clock.now += 20
        marks, counts = shop.ask(talk(*texts))
    assert counts.read > 800 + 40 * 100
    assert len(marks) <= 4


def test_namespaces_learn_and_keep_apart() -> None:
    shop = Shop()
    for number in range(5):
        shop.clock.now += 10
        shop.ask(talk(f"question {number}"), namespace="a")
    assert shop.ask(talk("other"), namespace="b")[0] == []
    assert shop.ask(talk("other"), namespace="a")[0] != []
    # Under a salt nothing is there yet, though the account's habits are known.
    salted = shop.place(talk("other"), namespace="a/salt")
    assert salted is not None
    assert [until for _, until, _ in salted.ends] == [0.0]


@pytest.mark.parametrize(
    ("policy", "ttl"),
    [
        (CachePolicy(ttl=60), "5m"),
        (CachePolicy(ttl=300), "5m"),
        (CachePolicy(ttl=301), "1h"),
        (CachePolicy(ttl=86_400), "1h"),
        (CachePolicy(pin=True), "1h"),
    ],
)
def test_a_wish_to_be_kept_is_kept(policy: CachePolicy, ttl: str) -> None:
    marks, counts = Shop().ask(talk("Hello"), policy)
    assert marks == [f"system[0] {ttl}", f"messages[0][0] {ttl}"]
    assert counts.plain == 0


def test_high_priority_is_kept_for_an_hour_where_it_pays() -> None:
    shop = Shop()
    assert shop.ask(talk("one"), CachePolicy(priority=True))[0] == []
    shop.clock.now += 10
    assert shop.ask(talk("two"), CachePolicy(priority=True))[0] == ["system[0] 1h"]


@pytest.mark.parametrize(
    "policy", [CachePolicy(write=False), CachePolicy(read=False, write=False), CachePolicy(explicit=True)]
)
def test_none_where_the_caller_says_so(policy: CachePolicy) -> None:
    shop = Shop()
    for number in range(5):
        shop.clock.now += 10
        shop.ask(talk(f"question {number}"))
    assert shop.place(talk("more"), policy) is None


CONTROL = {"type": "ephemeral"}
TEXT = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    "marked",
    [
        {"cache_control": CONTROL},
        {"system": [TEXT | {"cache_control": CONTROL}]},
        {"tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": CONTROL}]},
        {"messages": [{"role": "user", "content": [TEXT | {"cache_control": CONTROL}]}]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "a", "content": [TEXT | {"cache_control": CONTROL}]}
                    ],
                }
            ]
        },
    ],
)
def test_never_in_a_body_that_has_its_own(marked: Body) -> None:
    assert Shop().place(talk("Hello") | marked, CachePolicy(ttl=3_600)) is None


@pytest.mark.parametrize("messages", [{}, "x", [{"role": "user"}], [{"role": "user", "content": 3}], [1], []])
def test_what_is_no_body_is_left_to_anthropic(messages: Any) -> None:
    assert Shop().place({"messages": messages}, CachePolicy(ttl=3_600)) is None


def test_thinking_and_empty_texts_bear_none() -> None:
    thought = {"type": "thinking", "thinking": long("thought"), "signature": "c2lnbmVk"}
    content = [{"type": "text", "text": long("said")}, thought]
    body = talk("Hello") | {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}]}
    marks, _ = Shop().ask(body, CachePolicy(ttl=300))
    assert marks == ["system[0] 5m", "messages[1][0] 5m"]


def test_entries_that_anthropic_does_not_have_are_not_counted_on() -> None:
    shop = Shop()
    body = talk("Hello")
    done = shop.place(body, CachePolicy(ttl=300))
    assert done is not None
    shop.breakpoints.settle(done, Usage(826, 0, 0, 1))
    assert all(end.until == 0.0 for end, _, _ in done.ends)


@pytest.mark.parametrize(("counted", "kept"), [(401, False), (1_600, True)])
def test_tokens_are_what_anthropic_counted(counted: int, kept: bool) -> None:
    shop = Shop()
    body = talk("Hello", system=long("system", 400))
    for _ in range(4):
        shop.clock.now += 10
        done = shop.place(body)
        assert done is not None
        shop.breakpoints.settle(done, Usage(counted, 0, 0, 1))
    assert done is not None
    assert bool(done.marks) is kept


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "MAX_NODES", 50)
    monkeypatch.setattr(planner, "MAX_ACCOUNTS", 3)
    shop = Shop()
    for number in range(300):
        shop.clock.now += 1
        shop.ask(talk(f"question {number}"), namespace=f"account-{number % 7}")
    assert shop.breakpoints._tree.nodes <= 50
    assert len(shop.breakpoints._accounts) == 3
    shop.breakpoints._tree.check_integrity()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_anthropic_takes_every_body(seed: int) -> None:
    """Whatever comes: at most four, an hour before five minutes, where one may stand, and nothing else changed."""
    chance = random.Random(seed)
    shop = Shop()
    texts = [long(f"text {i}", chance.choice((5, 300, 700))) for i in range(6)]
    tools = [{"name": "f", "description": long("tool", 600), "input_schema": {"type": "object"}}]
    for _ in range(30):
        shop.clock.now += chance.choice((1, 30, 290, 310, 2_000, 4_000))
        body = talk(*texts[: 1 + 2 * chance.randrange(3)], system=chance.choice(texts))
        if chance.random() < 0.3:
            body["tools"] = tools
        if chance.random() < 0.3:
            body["messages"][-1]["content"] = [
                {"type": "text", "text": text} for text in texts[: chance.randrange(1, 6)]
            ]
        if chance.random() < 0.2:
            body["thinking"] = {"type": "enabled", "budget_tokens": 1_024}
        policy = CachePolicy(
            ttl=chance.choice((None, None, None, 60, 3_600)), priority=chance.random() < 0.2, pin=chance.random() < 0.1
        )
        marks, counts = shop.ask(body, policy, chance.choice(("a", "b")))
        assert len(marks) <= 4
        assert counts.total == sum(block.tokens for block in blocks_of(body))


# ---- through the provider


async def test_every_dialect_gets_them(anthropic: AnthropicProvider, upstream: AnthropicStandIn, clock: Clock) -> None:
    for number in range(3):
        clock.now += 10
        await chunks_of(anthropic, raw({"system": SYSTEM, "messages": [{"role": "user", "content": f"{number}"}]}))
    clock.now += 10
    chunks = await chunks_of(anthropic, asked(said(SYSTEM, "system"), "typed"))
    assert marks_of(upstream.requests[-1].json) == ["system[0] 5m"]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.cached_tokens == 825


async def test_a_request_that_fails_wrote_nothing(
    anthropic: AnthropicProvider, upstream: AnthropicStandIn, clock: Clock
) -> None:
    upstream.faults = [Fault("status", 500)]
    keep = CachePolicy(ttl=300)
    body = {"system": SYSTEM, "messages": [{"role": "user", "content": "Hello"}]}
    with pytest.raises(Exception, match="failed"):
        await chunks_of(anthropic, raw(body, cache=keep))
    placed = anthropic._breakpoints.place(
        msgspec.json.decode(msgspec.json.encode(body), type=dict[str, msgspec.Raw]), "a", MODEL, keep
    )
    assert placed is not None
    assert all(until == 0.0 for _, until, _ in placed.ends)
