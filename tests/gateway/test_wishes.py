"""Cache wishes: what each does to the policy and the namespace that the engine gets."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.base import CachePolicy
from radixa.core.config import CacheConfig
from radixa.core.errors import InvalidRequest
from radixa.gateway.wishes import CacheOptions, CacheWishes, Ephemeral, Mark, cache_policy
from tests.gateway.conftest import Build, World

ON, OFF = CachePolicy(), CachePolicy(read=False, write=False)
NO_STORE = CachePolicy(read=True, write=False)
TTL = {"type": "ephemeral", "ttl": "1h"}
PART = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]
BREAKPOINT = [{"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}]


def kept(wishes: dict[str, Any], **fields: Any) -> list[tuple[dict[str, Any], CachePolicy, CachePolicy]]:
    """Wishes to be kept ask for the cache, wherever it is opt-in."""
    return [(wishes, CachePolicy(**fields), CachePolicy(**fields))]


CASES: list[tuple[dict[str, Any], CachePolicy, CachePolicy]] = [
    # the body's wishes, the policy where the cache is on by default, where it is opt-in
    ({}, ON, OFF),
    ({"prompt_cache": True}, ON, ON),
    ({"prefix_caching": True}, ON, ON),
    ({"prompt_cache": True, "prefix_caching": True}, ON, ON),
    ({"prompt_cache": False}, OFF, OFF),
    ({"prefix_caching": False}, OFF, OFF),
    ({"cache_control": "auto"}, ON, ON),
    ({"cache_control": "no-store"}, NO_STORE, NO_STORE),
    ({"cache_control": "no-cache"}, OFF, OFF),
    ({"prompt_cache": True, "cache_control": "no-store"}, NO_STORE, NO_STORE),
    ({"prompt_cache": False, "cache_control": "no-cache"}, OFF, OFF),
    ({"prompt_cache": False, "cache_control": "no-store"}, OFF, OFF),
    ({"prompt_cache": False, "high_priority": False, "pin": False, "prompt_cache_retention": "in_memory"}, OFF, OFF),
    *kept({"cache_ttl_seconds": 1}, ttl=1),
    *kept({"cache_ttl_seconds": 86_400}, ttl=86_400),
    *kept({"high_priority": True}, priority=True),
    *kept({"pin": True}, pin=True),
    ({"high_priority": False}, ON, OFF),
    ({"pin": False}, ON, OFF),
    *kept({"cache_control": TTL}, ttl=3600, explicit=True),
    *kept({"cache_control": {"type": "ephemeral"}}, ttl=300, explicit=True),
    *kept({"content": PART}, ttl=300, explicit=True),
    *kept({"content": BREAKPOINT}, ttl=43_200, explicit=True),
    *kept({"content": PART, "cache_control": TTL}, ttl=3600, explicit=True),
    *kept({"prompt_cache_retention": "24h"}, ttl=86_400),
    ({"prompt_cache_retention": "in_memory"}, ON, OFF),
    *kept({"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}}, ttl=1800),
    ({"prompt_cache_options": {"mode": "implicit"}}, ON, OFF),
    # The longest holds.
    *kept({"prompt_cache_options": {"ttl": "30m"}, "cache_ttl_seconds": 60, "content": PART}, ttl=1800, explicit=True),
    *kept({"cache_ttl_seconds": 60, "high_priority": True, "pin": True}, ttl=60, priority=True, pin=True),
    # These name or tag; they ask for nothing.
    (
        {"prompt_cache_key": "k", "session_id": "s", "cache_salt": "x"},
        CachePolicy(session="s", key="k"),
        CachePolicy(read=False, write=False, session="s", key="k"),
    ),
    (
        {"prompt_cache_key": "k"},
        CachePolicy(session="k", key="k"),
        CachePolicy(read=False, write=False, session="k", key="k"),
    ),
]


@pytest.mark.parametrize(("wishes", "auto", "opt_in"), CASES, ids=lambda case: str(case)[:50])
async def test_what_a_wish_does(build: Build, wishes: dict[str, Any], auto: CachePolicy, opt_in: CachePolicy) -> None:
    world = build(cache=CacheConfig(default="auto"))
    answer = await world.client.chat(**wishes)
    assert answer.status == 200, answer.body
    assert world.engine.requests[0].cache == auto
    wary = build(cache=CacheConfig(default="opt-in"))
    assert (await wary.client.chat(**wishes)).status == 200
    assert wary.engine.requests[0].cache == opt_in


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"cache_ttl_seconds": 60}, "cache_ttl_seconds"),
    ({"high_priority": True}, "high_priority"),
    ({"pin": True}, "pin"),
    ({"prompt_cache_retention": "24h"}, "prompt_cache_retention"),
    ({"prompt_cache_options": {"ttl": "30m"}}, "prompt_cache_options.ttl"),
    ({"content": PART}, "messages[0].content[0].cache_control"),
    ({"content": BREAKPOINT}, "messages[0].content[0].prompt_cache_breakpoint"),
]


@pytest.mark.parametrize(("wishes", "field"), REFUSALS, ids=lambda case: str(case)[:40])
@pytest.mark.parametrize(
    "off",
    [{"prompt_cache": False}, {"prefix_caching": False}, {"cache_control": "no-store"}, {"cache_control": "no-cache"}],
)
async def test_what_must_not_be_stored_cannot_be_kept(
    world: World, wishes: dict[str, Any], field: str, off: dict[str, Any]
) -> None:
    answer = await world.client.chat(**wishes, **off)
    assert (answer.status, answer.error["param"]) == (400, field)
    # The message names both, so that either can be left out.
    assert f"'{field}'" in answer.error["message"]
    assert f"'{next(iter(off))}'" in answer.error["message"]
    assert world.engine.requests == []


@pytest.mark.parametrize(
    ("wishes", "field", "expected"),
    [
        ({"cache_ttl_seconds": 0}, "cache_ttl_seconds", ">= 1"),
        ({"cache_ttl_seconds": 86_401}, "cache_ttl_seconds", "<= 86400"),
        ({"cache_ttl_seconds": 1.5}, "cache_ttl_seconds", "an integer"),
        ({"cache_ttl_seconds": "60"}, "cache_ttl_seconds", "an integer"),
        ({"pin": 1}, "pin", "a boolean"),
        ({"high_priority": "yes"}, "high_priority", "a boolean"),
        ({"prompt_cache_retention": "1h"}, "prompt_cache_retention", "'24h'"),
        ({"prompt_cache_options": {"ttl": "12h"}}, "prompt_cache_options.ttl", "'30m'"),
        ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "cache_control.ttl", "'1h'"),
        ({"session_id": ""}, "session_id", "minimum length 1"),
        ({"prompt_cache_key": "k" * 513}, "prompt_cache_key", "maximum length 512"),
    ],
)
async def test_wrong_values_are_named_with_what_is_allowed(
    world: World, wishes: dict[str, Any], field: str, expected: str
) -> None:
    answer = await world.client.chat(**wishes)
    assert (answer.status, answer.error["param"]) == (400, field)
    assert expected in answer.error["message"]


SWITCHES = st.sampled_from([None, True, False])
DURATIONS = {"5m": 5 * 60, "30m": 30 * 60, "1h": 60 * 60, "12h": 12 * 60 * 60}


@settings(max_examples=400, deadline=None)
@given(
    switches=st.tuples(SWITCHES, SWITCHES),
    control=st.sampled_from([None, "auto", "no-store", "no-cache", "5m", "1h"]),
    seconds=st.none() | st.integers(1, 86_400),
    priority=SWITCHES,
    pin=SWITCHES,
    retention=st.sampled_from([None, "in_memory", "24h"]),
    options=st.sampled_from([None, "30m"]),
    parts=st.lists(st.sampled_from([*DURATIONS])),
    default=st.sampled_from(["auto", "opt-in"]),
    names=st.tuples(st.sampled_from([None, "s"]), st.sampled_from([None, "k"])),
)
def test_the_mapping(
    switches: tuple[bool | None, bool | None],
    control: str | None,
    seconds: int | None,
    priority: bool | None,
    pin: bool | None,
    retention: Literal["in_memory", "24h"] | None,
    options: Literal["30m"] | None,
    parts: list[str],
    default: Literal["auto", "opt-in"],
    names: tuple[str | None, str | None],
) -> None:
    """Against the rules as one reads them: each wish on its own, then what they come to."""
    wishes = CacheWishes(
        prompt_cache=switches[0],
        prefix_caching=switches[1],
        cache_control=Ephemeral("ephemeral", control) if control in ("5m", "1h") else control,  # type: ignore[arg-type]
        cache_ttl_seconds=seconds,
        high_priority=priority,
        pin=pin,
        prompt_cache_retention=retention,
        prompt_cache_options=CacheOptions(ttl=options),
        session_id=names[0],
        prompt_cache_key=names[1],
    )
    marks = [Mark(f"messages[0].content[{i}].cache_control", DURATIONS[ttl]) for i, ttl in enumerate(parts)]
    ttls = [DURATIONS[ttl] for ttl in parts]
    ttls += [DURATIONS[control]] if control in DURATIONS else []
    ttls += [seconds] if seconds else []
    ttls += [86_400] if retention == "24h" else []
    ttls += [1_800] if options else []
    keeps = bool(ttls or priority or pin)
    said_on, said_off = True in switches, False in switches
    contradictory = (
        (said_on and said_off)
        or (said_off and (control == "auto" or keeps))
        or (said_on and control == "no-cache")
        or (control in ("no-store", "no-cache") and keeps)
    )
    if contradictory:
        with pytest.raises(InvalidRequest) as refused:
            cache_policy(wishes, default, marks)
        assert refused.value.param
        return
    found = cache_policy(wishes, default, marks)
    on = not said_off and control != "no-cache" and (said_on or keeps or control is not None or default == "auto")
    assert (found.read, found.write) == (on, on and control != "no-store")
    assert found.ttl == max(ttls, default=None)
    assert (found.priority, found.pin) == (priority is True, pin is True)
    assert found.session == (names[0] or names[1] or "")


async def test_completions_take_the_same_wishes(world: World) -> None:
    await world.client.post("/v1/completions", {"prompt": "x", "cache_control": "no-store"})
    assert world.engine.requests[0].cache == NO_STORE


async def test_off_reads_nothing_and_keeps_nothing(world: World) -> None:
    await world.client.chat("again")
    off = (await world.client.chat("again", prompt_cache=False)).json["usage"]
    assert off["cached_tokens"] == 0
    assert off["prompt_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}
    no_store = (await world.client.chat("again and more", cache_control="no-store")).json["usage"]
    assert no_store["cached_tokens"] > 0
    assert no_store["prompt_tokens_details"]["cache_write_tokens"] == 0


async def test_the_namespace_is_the_account_narrowed_by_the_salt(world: World) -> None:
    other, client = world.account_client("other")
    await world.client.chat("secret")
    await world.client.chat("secret", cache_salt="a")
    await world.client.chat("secret", cache_salt="a/b")
    await client.chat("secret")
    await client.chat("secret", cache_salt="a")
    seen = [request.namespace for request in world.engine.requests]
    assert seen[0] == world.account.id
    assert seen[3] == other.id
    assert len(set(seen)) == 5
    for namespace, owner in zip(seen, [world.account.id] * 3 + [other.id] * 2, strict=True):
        account, *salts = namespace.split("/")
        assert account == owner
        # The salt itself is nowhere to be seen.
        assert all(len(salt) == 32 for salt in salts)


async def test_namespaces_never_meet_in_usage(world: World) -> None:
    _, client = world.account_client("other")
    await world.client.chat("a secret that nobody else may detect")
    for caller, fields in [(client, {}), (world.client, {"cache_salt": "s"}), (client, {"cache_salt": "s"})]:
        usage = (await caller.chat("a secret that nobody else may detect", **fields)).json["usage"]
        assert usage["cached_tokens"] == 0
    assert (await client.chat("a secret that nobody else may detect")).json["usage"]["cached_tokens"] > 0
