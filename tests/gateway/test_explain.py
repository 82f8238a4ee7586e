"""`POST /v1/cache/explain`, and the miss in every answer's usage: what hits, where a prompt leaves, and why."""

from __future__ import annotations

import time
from typing import Any

import pytest

from radixa.core.config import CacheConfig
from tests.gateway.conftest import Build, World
from tests.gateway.fakes import FakeEngine

SYSTEM = {"role": "system", "content": "You sort tickets. Be brief."}
OPENING = len("system: ")
BETWEEN = len("\nuser: ")


def asking(text: str, system: dict[str, str] = SYSTEM) -> list[dict[str, str]]:
    return [system, {"role": "user", "content": text}]


async def explain(world: World, messages: Any, **fields: Any) -> dict[str, Any]:
    answer = await world.client.post("/v1/cache/explain", {"messages": messages} | fields)
    assert answer.status == 200, answer.body
    assert answer.headers["x-radixa-served-by"] == "fake-model"
    body: dict[str, Any] = answer.json
    assert list(body) == ["prompt_tokens", "cached_tokens", "tiers", "miss", "volatile"]
    assert sum(body["tiers"].values()) == body["cached_tokens"]
    return body


async def chat(world: World, messages: Any, **fields: Any) -> dict[str, Any]:
    answer = await world.client.post("/v1/chat/completions", {"messages": messages} | fields)
    assert answer.status == 200, answer.body
    usage: dict[str, Any] = answer.json["usage"]
    return usage


async def test_a_prompt_that_was_just_sent_has_no_miss(world: World) -> None:
    await chat(world, asking("Where is it?"))
    found = await explain(world, asking("Where is it?"))
    prompt = found["prompt_tokens"]
    assert found == {
        "prompt_tokens": prompt,
        "cached_tokens": prompt - 1,
        "tiers": {"device": prompt - 1, "host": 0, "disk": 0},
        "miss": None,
        "volatile": None,
    }
    assert prompt == len("system: You sort tickets. Be brief.\nuser: Where is it?\nassistant: ")


async def test_a_divergence_names_its_message_and_both_texts(world: World) -> None:
    await chat(world, asking("Where is my parcel, please?"))
    found = await explain(world, asking("Where is your parcel?"))
    at = OPENING + len(SYSTEM["content"]) + BETWEEN + len("Where is ")
    assert found["cached_tokens"] == at
    assert found["miss"] == {
        "at": at,
        "reason": "diverged",
        "message": 1,
        "yours": "your parcel?\nassistant: ",
        "tree": ["my parcel, please?\nassis"],
    }


async def test_what_follows_in_several_ways_is_shown_the_last_used_first(world: World) -> None:
    for word in ("billing", "refund", "login", "other"):
        await chat(world, asking(word))
    miss = (await explain(world, asking("!")))["miss"]
    assert [text.split("\n")[0] for text in miss["tree"]] == ["other", "login", "refund"]
    assert miss["message"] == 1


async def test_the_templates_words_are_no_message(world: World) -> None:
    await chat(world, asking("one"))
    # After "one" comes the line's end; here the message goes on.
    longer = (await explain(world, asking("one more")))["miss"]
    assert (longer["message"], longer["yours"][:5]) == (1, " more")
    shorter = (await explain(world, asking("on")))["miss"]
    assert (shorter["message"], shorter["yours"]) == (None, "\nassistant: ")


async def test_nothing_but_the_templates_words_is_never_seen(world: World) -> None:
    await chat(world, asking("one"))
    for system in ("Another.", "Zebra."):
        miss = (await explain(world, asking("x", {"role": "system", "content": system})))["miss"]
        assert miss == {
            "at": OPENING,
            "reason": "never_seen",
            "message": 0,
            "yours": f"{system}\nuser: x\nassistant: "[:24],
            "tree": [],
        }
    # One letter in common is something seen.
    miss = (await explain(world, asking("x", {"role": "system", "content": "Young."})))["miss"]
    assert (miss["at"], miss["reason"], miss["tree"]) == (OPENING + 3, "diverged", [" sort tickets. Be brief."])


async def test_never_seen_beyond_what_is_there(world: World) -> None:
    await world.client.post("/v1/completions", {"prompt": "once upon"})
    answer = await world.client.post("/v1/cache/explain", {"prompt": "once upon a time"})
    assert answer.json["miss"] == {
        "at": 9,
        "reason": "never_seen",
        "message": None,
        "yours": " a time",
        "tree": [],
    }
    nothing = (await world.client.post("/v1/cache/explain", {"prompt": "twice"})).json["miss"]
    assert (nothing["at"], nothing["reason"], nothing["tree"]) == (0, "never_seen", [])


async def test_evicted_says_when(build: Build) -> None:
    now = 1000.0
    world = build(FakeEngine(capacity=150, clock=lambda: now))
    await chat(world, asking("the first question of all"))
    now = 1010.0
    await world.client.chat("x" * 100)
    now = 1050.0
    found = await explain(world, asking("the first question of all"))
    miss = found["miss"]
    assert miss["reason"] == "evicted"
    assert miss["at"] == found["cached_tokens"]
    assert miss["evicted_at"] == pytest.approx(time.time() - 40, abs=2)
    assert "expired_at" not in miss
    assert miss["tree"] == []
    told = (await chat(world, asking("the first question of all")))["radixa"]["miss"]
    assert told.pop("evicted_at") == pytest.approx(miss.pop("evicted_at"), abs=2)
    assert told == miss


async def test_expired_says_when(build: Build) -> None:
    now = 1000.0
    world = build(FakeEngine(capacity=150, clock=lambda: now))
    await chat(world, asking("keep this for a minute"), cache_ttl_seconds=60)
    now = 1100.0
    await world.client.chat("x" * 100)
    now = 1105.0
    miss = (await explain(world, asking("keep this for a minute")))["miss"]
    assert miss["reason"] == "expired"
    assert miss["expired_at"] == pytest.approx(time.time() - 45, abs=2)
    assert "evicted_at" not in miss


async def test_another_salt_is_named_without_a_word_of_it(world: World) -> None:
    await chat(world, asking("a question"), cache_salt="blue")
    miss = (await explain(world, asking("a question")))["miss"]
    assert miss == {"at": 0, "reason": "namespace", "message": None, "yours": None, "tree": []}


@pytest.mark.parametrize("wishes", [{"prompt_cache": False}, {"cache_control": "no-cache"}])
async def test_disabled(world: World, wishes: dict[str, Any]) -> None:
    await chat(world, asking("a question"))
    found = await explain(world, asking("a question"), **wishes)
    assert found["cached_tokens"] == 0
    assert found["miss"] == {"at": 0, "reason": "disabled", "message": None, "yours": None, "tree": []}
    assert (await chat(world, asking("a question"), **wishes))["radixa"]["miss"] == found["miss"]


async def test_opt_in_counts_as_disabled_unless_asked(build: Build) -> None:
    world = build(cache=CacheConfig(default="opt-in"))
    assert (await explain(world, asking("x")))["miss"]["reason"] == "disabled"
    assert (await explain(world, asking("x"), prompt_cache=True))["miss"]["reason"] == "never_seen"


RULES = "Sort each ticket into one of these teams: billing, technical, sales, other. Answer with one word."


def stamped(second: int, question: str = "Where is it?") -> list[dict[str, str]]:
    return asking(
        question, {"role": "system", "content": f"You sort tickets.\nTime: 2026-11-24 10:00:{second}.\n{RULES}"}
    )


async def test_a_line_that_changes_with_every_request_is_named_with_its_cost(world: World) -> None:
    for second in (13, 27, 38):
        usage = await chat(world, stamped(second))
    assert usage["radixa"]["volatile"]["text"] == "Time: 2026-11-24 10:00:38."
    assert usage["radixa"]["volatile"]["seen"] >= 3
    found = await explain(world, stamped(49))
    assert found["volatile"]["text"] == "Time: 2026-11-24 10:00:49."
    assert found["volatile"]["seen"] >= 3
    # Its first digits may be like another's; all that follows is computed again.
    assert found["volatile"]["cost_tokens"] >= len(RULES) + BETWEEN + len("Where is it?")
    assert found["miss"]["reason"] == "diverged"
    assert found["miss"]["message"] == 0


async def test_a_volatile_line_at_the_very_front(world: World) -> None:
    for number in range(1, 4):
        await chat(world, asking("x", {"role": "system", "content": f"{number} is the number.\n{RULES}"}))
    found = await explain(world, asking("x", {"role": "system", "content": f"7 is the number.\n{RULES}"}))
    # The template's words alone were matched, and yet it is known what is there instead.
    assert found["miss"]["reason"] == "diverged"
    assert found["volatile"]["text"] == "7 is the number."


async def test_asking_changes_nothing(world: World) -> None:
    await chat(world, asking("one"))
    before = (await world.client.get("/v1/cache")).json
    for second in range(5):
        await explain(world, stamped(second), session_id="s", pin=True)
    assert (await world.client.get("/v1/cache")).json == before
    assert len(world.engine.requests) == 1
    assert (await explain(world, stamped(9)))["volatile"] is None


@pytest.mark.parametrize("stream", [False, True])
async def test_usage_tells_the_same(world: World, stream: bool) -> None:
    await chat(world, asking("Where is my parcel?"))
    explained = await explain(world, asking("Where is your parcel?"))
    body = {"messages": asking("Where is your parcel?"), "stream": stream}
    if stream:
        answer = await world.client.post("/v1/chat/completions", body | {"stream_options": {"include_usage": True}})
        usage = answer.events[-1]["usage"]
    else:
        usage = (await world.client.post("/v1/chat/completions", body)).json["usage"]
    assert usage["radixa"]["miss"] == explained["miss"]
    assert usage["cached_tokens"] == explained["cached_tokens"] == explained["miss"]["at"]
    assert usage["radixa"]["tiers"] == explained["tiers"]


async def test_the_first_prompt_that_missed_is_told(world: World) -> None:
    await world.client.post("/v1/completions", {"prompt": ["seen before", "a b"]})
    answer = await world.client.post("/v1/completions", {"prompt": ["seen before", "a c d"], "n": 2})
    miss = answer.json["usage"]["radixa"]["miss"]
    assert (miss["at"], miss["yours"], miss["tree"]) == (2, "c d", ["b"])


async def test_token_ids_are_explained(world: World) -> None:
    await world.client.post("/v1/completions", {"prompt": [97, 98, 99, 100]})
    found = (await world.client.post("/v1/cache/explain", {"prompt": [97, 98, 120, 121]})).json
    assert found["cached_tokens"] == 2
    assert (found["miss"]["yours"], found["miss"]["tree"]) == ("xy", ["cd"])


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "messages"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "user", "content": "x"}], "prompt": "x"}, 400, "prompt"),
        ({"prompt": ["a", "b"]}, 400, "prompt"),
        ({"prompt": ""}, 400, "prompt"),
        ({"prompt": "x", "echo": True}, 400, "echo"),
        ({"messages": [{"role": "user", "content": "x"}], "temperature": 3}, 400, "temperature"),
        ({"messages": [{"role": "user", "content": "x"}], "tools": [{}]}, 400, "tools[0].type"),
        ({"messages": [{"role": "user", "content": "x"}], "top_logprobs": 2}, 400, "top_logprobs"),
        ({"messages": [{"role": "user", "content": "x"}], "model": "nobody"}, 404, None),
        ({"messages": [{"role": "user", "content": "x" * 1000}]}, 400, "messages"),
        ({"messages": [{"role": "user", "content": "x"}], "pin": True, "prompt_cache": False}, 400, "pin"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "messages[0].content[0].image_url"),
    ],
)
async def test_a_body_is_checked_as_completions_check_it(
    world: World, body: dict[str, Any], status: int, param: str | None
) -> None:
    answer = await world.client.post("/v1/cache/explain", body)
    assert (answer.status, answer.error["param"]) == (status, param)
    assert (await world.client.using(None).post("/v1/cache/explain", body)).status == 401
