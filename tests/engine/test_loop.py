"""The loop over a model that sees every slot: scheduling, reuse, retraction and cancellation never change an answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.core.base import CachePolicy, SamplingParams
from radixa.core.errors import ContextTooLong, EngineUnavailable, InvalidRequest
from radixa.core.tokens import pack
from radixa.engine.base import EngineRequest
from radixa.engine.loop import EngineLoop

from .content import content_loop, drain, expected
from .scripts import SYSTEM, play, request, scripts


def computed(loop: EngineLoop) -> int:
    return loop.runner.decoder.computed  # type: ignore[attr-defined,no-any-return]


Case = tuple[list[tuple[Any, ...]], int, int, int, str]
cases: st.SearchStrategy[Case] = st.tuples(
    scripts(),
    st.sampled_from([220, 300, 1000]),
    st.sampled_from([1, 7, 64, 2048]),
    st.sampled_from([1, 4]),
    st.sampled_from(["radix", "force_miss", "none"]),
)


def check(case: Case) -> None:
    actions, capacity, step_tokens, page_size, kind = case
    loop = content_loop(capacity - capacity % page_size, kind=kind, page_size=page_size, step_tokens=step_tokens)
    collected = play(loop, actions)
    if kind != "radix":
        assert all(output.usage and output.usage.cached_tokens == 0 for output in collected.last.values())


@settings(max_examples=50, deadline=None)
@given(cases)
def test_every_answer_is_what_a_fresh_computation_gives(case: Case) -> None:
    check(case)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(cases)
def test_so_is_every_one_of_many(case: Case) -> None:
    check(case)


def test_a_second_turn_computes_only_what_is_new() -> None:
    loop = content_loop()
    loop.submit(request("one", SYSTEM, 10))
    first = drain(loop)
    before = computed(loop)
    loop.submit(request("two", [*SYSTEM, *first.tokens["one"], 1, 2, 3], 1))
    usage = drain(loop).last["two"].usage
    assert usage is not None
    # The answer's last token was never computed: it was sampled and nothing came after it.
    assert usage.cached_tokens == len(SYSTEM) + 9
    assert usage.cache_write_tokens == 4
    assert usage.plain_tokens == 0
    assert computed(loop) - before == 4


def test_two_waiting_requests_compute_their_common_prefix_once() -> None:
    loop = content_loop(step_tokens=64)
    for name in "abcd":
        loop.submit(request(name, [*SYSTEM, ord(name) % 90], 2))
    collected = drain(loop)
    # 200 shared tokens once, then each its own token and one decode step.
    assert computed(loop) == len(SYSTEM) + 4 * 2
    assert sorted(collected.last[name].usage.cached_tokens for name in "abcd") == [0, 200, 200, 200]  # type: ignore[union-attr]


def test_a_request_that_comes_late_finds_what_a_running_prompt_has_computed() -> None:
    loop = content_loop(step_tokens=64)
    loop.submit(request("first", [*SYSTEM, *([1] * 200)], 1))
    for _ in range(4):
        loop.step()  # 256 tokens: past the shared 200, before the end of its own.
    loop.submit(request("late", [*SYSTEM, *([2] * 50)], 1))
    usage = drain(loop).last["late"].usage
    assert usage is not None
    assert usage.cached_tokens == len(SYSTEM)


def test_without_leave_to_share_nobody_waits_for_another() -> None:
    loop = content_loop(step_tokens=2048)
    for name in "ab":
        loop.submit(request(name, SYSTEM, 1, read=False))
    drain(loop)
    assert loop.stats().steps == 1
    assert computed(loop) == 2 * len(SYSTEM)


def test_no_store_leaves_nothing_and_reads() -> None:
    loop = content_loop()
    loop.submit(request("secret", SYSTEM, 3, write=False))
    drain(loop)
    assert loop.stats().tree == 0
    loop.submit(request("kept", SYSTEM, 3))
    drain(loop)
    kept = loop.stats().tree
    loop.submit(request("reader", [*SYSTEM, 5], 3, write=False))
    usage = drain(loop).last["reader"].usage
    assert usage is not None
    assert (usage.cached_tokens, usage.cache_write_tokens) == (len(SYSTEM), 0)
    assert loop.stats().tree == kept


def test_namespaces_do_not_meet() -> None:
    loop = content_loop()
    for name, namespace in (("a", "one"), ("b", "two"), ("c", "one/salt"), ("d", "one")):
        loop.submit(EngineRequest(name, pack(SYSTEM), namespace, SamplingParams(max_tokens=1, temperature=0)))
        usage = drain(loop).last[name].usage
        assert usage is not None
        assert usage.cached_tokens == (len(SYSTEM) - 1 if name == "d" else 0)


def test_a_small_pool_retracts_and_everyone_finishes() -> None:
    loop = content_loop(128, step_tokens=64, max_running=8)
    prompts = {f"r{i}": [i] * 20 for i in range(8)}
    for name, prompt in prompts.items():
        loop.submit(request(name, prompt, 60))
    collected = drain(loop)
    assert loop.stats().retractions > 0
    for name, prompt in prompts.items():
        assert collected.tokens[name] == expected(prompt, 60)


def test_a_long_prompt_is_computed_beside_decoding_ones() -> None:
    loop = content_loop(step_tokens=16)
    loop.submit(request("talker", [1, 2, 3], 40))
    loop.step()
    loop.submit(request("reader", SYSTEM, 1))
    outputs = [loop.step() for _ in range(10)]
    assert all(any(o.request_id == "talker" for o in step) for step in outputs)  # Not one step without its token.
    drain(loop)


def test_prompts_move_on_even_when_decoding_takes_the_whole_budget() -> None:
    loop = content_loop(4096, step_tokens=4, max_running=16)
    for i in range(8):
        loop.submit(request(f"t{i}", [i, i, i], 200))
    for _ in range(20):
        loop.step()
    loop.submit(request("late", [50] * 30, 1))
    for _ in range(40):
        if any(o.request_id == "late" for o in loop.step()):
            break
    else:
        raise AssertionError("the prompt was never computed")
    drain(loop)


def test_a_cancelled_request_ends_before_the_next_step() -> None:
    loop = content_loop()
    loop.submit(request("gone", SYSTEM, 1000))
    for _ in range(8):
        loop.step()
    loop.abort("gone")
    assert not loop.busy
    stats = loop.stats()
    assert stats.leased == 0
    assert stats.tree > 0  # What it computed is kept for whoever comes next.
    loop.abort("gone")  # Twice is harmless, as is a name nobody knows.


def test_the_answer_ends_where_the_context_does() -> None:
    loop = content_loop(context_length=30)
    loop.submit(request("r", list(range(20)), 100))
    last = drain(loop).last["r"]
    assert last.finish_reason == "length"
    assert last.usage is not None
    assert last.usage.completion_tokens == 10


@pytest.mark.parametrize(
    ("prompt", "error", "says"),
    [
        ([], InvalidRequest, "empty"),
        (list(range(50)), ContextTooLong, "maximum context length is 50 tokens, and the prompt has 50"),
        ([1, 97], InvalidRequest, "from 0 to 96"),
        ([1, -1], InvalidRequest, "from 0 to 96"),
    ],
)
def test_prompts_that_cannot_be_served(prompt: list[int], error: type[Exception], says: str) -> None:
    loop = content_loop(context_length=50)
    refused = loop.submit(request("r", prompt))
    assert refused is not None
    assert refused.fault is not None
    with pytest.raises(error, match=says):
        raise refused.fault.error()
    assert not loop.busy


def test_a_prompt_longer_than_the_pool_says_so() -> None:
    refused = content_loop(100).submit(request("r", [1] * 100))
    assert refused is not None
    assert refused.fault is not None
    assert "KV pool 100 slots" in refused.fault.message


def test_a_full_queue_refuses_with_503() -> None:
    loop = content_loop(max_waiting=2)
    assert loop.submit(request("a", [1])) is None
    assert loop.submit(request("b", [1])) is None
    refused = loop.submit(request("c", [1]))
    assert refused is not None
    assert refused.fault is not None
    assert isinstance(refused.fault.error(), EngineUnavailable)
    assert refused.fault.code == "server_is_overloaded"
    assert set(drain(loop).last) == {"a", "b"}


@pytest.mark.parametrize(
    "field",
    [
        {"temperature": 0.7},
        {"temperature": 1e-40},
        {"top_p": 0.5},
        {"top_k": 5},
        {"min_p": 0.1},
        {"frequency_penalty": 0.5},
        {"presence_penalty": -0.5},
        {"repetition_penalty": 1.1},
        {"logit_bias": {5: 1.0, 9: -100.0}},
        {"seed": 7},
        {"stop_token_ids": (3,)},
        {"ignore_eos": True},
        {"logprobs": 3},
    ],
    ids=lambda field: next(iter(field)),
)
def test_every_sampling_parameter_reaches_its_end(field: dict[str, Any]) -> None:
    loop = content_loop()
    sampling = SamplingParams(**{"max_tokens": 6, **field})
    assert loop.submit(EngineRequest("r", pack(SYSTEM), sampling=sampling)) is None
    last = drain(loop).last["r"]
    assert (last.finish_reason, last.fault) in (("length", None), ("stop", None))


def test_the_coldest_temperatures_take_the_likeliest_token() -> None:
    loop = content_loop()
    sampling = SamplingParams(max_tokens=8, temperature=1e-40, top_p=0.5)
    assert loop.submit(EngineRequest("r", pack(SYSTEM), sampling=sampling)) is None
    assert drain(loop).tokens["r"] == expected(SYSTEM, 8)


def test_what_goes_wrong_with_one_request_ends_that_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from radixa.engine import sampler

    def broken(row: Any, sequence: Any) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(sampler, "_draw", broken)
    loop = content_loop()
    for name, temperature in [("good", 0.0), ("bad", 1.0), ("fine", 0.0)]:
        sampling = SamplingParams(max_tokens=5, temperature=temperature)
        assert loop.submit(EngineRequest(name, pack(SYSTEM), sampling=sampling)) is None
    done = drain(loop)
    fault = done.last["bad"].fault
    assert fault is not None
    assert "failed while it answered" in fault.message
    assert done.tokens["good"] == done.tokens["fine"] == expected(SYSTEM, 5)
    assert loop.stats().leased == 0
    loop.cache.check_integrity()


def test_usage_says_where_and_why_the_prompt_left_the_cache() -> None:
    loop = content_loop()

    def miss(name: str, prompt: list[int], **changes: Any) -> tuple[int, str] | None:
        loop.submit(request(name, prompt, 1, **changes))
        usage = drain(loop).last[name].usage
        assert usage is not None
        return (usage.miss.at, usage.miss.reason) if usage.miss else None

    assert miss("1", SYSTEM) == (0, "never_seen")
    assert miss("2", SYSTEM) is None
    assert miss("3", [*SYSTEM[:50], *[95] * 20]) == (50, "diverged")
    assert miss("4", SYSTEM, namespace="other") == (0, "never_seen")
    assert miss("5", SYSTEM, read=False) == (0, "disabled")
    loop.flush()
    assert miss("6", SYSTEM) == (0, "never_seen")  # whoever drops something does not want it remembered
    lease = loop.cache.bare("")
    assert loop.cache.extend(lease, loop.info.capacity)
    loop.cache.release(lease)
    assert miss("7", SYSTEM) == (0, "evicted")
    assert loop.stats().wanted_tokens == len(SYSTEM)


def test_a_prompt_can_be_warmed_without_an_answer() -> None:
    loop = content_loop()
    sampling = SamplingParams(max_tokens=0)
    assert loop.submit(EngineRequest("w", pack(SYSTEM), sampling=sampling, cache=CachePolicy(pin=True))) is None
    done = drain(loop)
    last = done.last["w"]
    assert (last.finish_reason, last.token_ids, done.tokens["w"]) == ("length", (), [])
    assert last.usage is not None
    assert (last.usage.cache_write_tokens, last.usage.completion_tokens) == (len(SYSTEM), 0)
    assert loop.stats().retained == len(SYSTEM)
    loop.submit(request("r", [*SYSTEM, 1], 3))
    usage = drain(loop).last["r"].usage
    assert usage is not None
    assert usage.cached_tokens == len(SYSTEM)


def test_retention_comes_with_the_request() -> None:
    loop = content_loop(capacity=400)
    cache = CachePolicy(pin=True)
    loop.submit(EngineRequest("pinned", pack(SYSTEM), sampling=SamplingParams(max_tokens=1), cache=cache))
    drain(loop)
    assert loop.cache.stats().retained == 200
    for number in range(20):
        loop.submit(request(f"r{number}", [number] * 150, 5))
        drain(loop)
    assert loop.cache.peek(pack(SYSTEM), "") == 200
