"""Requests to the model of `content.py`, and what happens to a loop while it answers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from radixa.core.base import CachePolicy, SamplingParams
from radixa.core.tokens import pack
from radixa.engine.base import EngineRequest
from radixa.engine.loop import EngineLoop
from tests.engine.content import Collected, drain, expected

SYSTEM = [i % 91 for i in range(200)]


def request(name: str, prompt: list[int], max_tokens: int = 5, **changes: Any) -> EngineRequest:
    cache = CachePolicy(read=changes.pop("read", True), write=changes.pop("write", True))
    namespace = changes.pop("namespace", "")
    sampling = SamplingParams(max_tokens=max_tokens, temperature=0, **changes)
    return EngineRequest(name, pack(prompt), namespace, sampling, cache)


@st.composite
def scripts(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Requests that begin alike more often than not, with steps and cancellations between them."""
    actions: list[tuple[Any, ...]] = []
    for number in range(draw(st.integers(1, 12))):
        cut = draw(st.integers(0, 120))
        branch = draw(st.integers(0, 2))
        own = draw(st.integers(1, 40))
        prompt = SYSTEM[:cut] + [branch] * 3 + [number % 90 for _ in range(own)]
        policy = draw(st.sampled_from([(True, True), (True, True), (True, False), (False, False)]))
        actions.append(("submit", number, prompt, draw(st.integers(1, 30)), policy, draw(st.sampled_from(["a", "b"]))))
        actions.extend([("step",)] * draw(st.integers(0, 6)))
        if draw(st.integers(0, 5)) == 0:
            actions.append(("abort", draw(st.integers(0, number))))
        if draw(st.integers(0, 9)) == 0:
            actions.append(("flush",))
    return actions


def play(
    loop: EngineLoop, actions: list[tuple[Any, ...]], changes: Callable[[int], dict[str, Any]] = lambda number: {}
) -> Collected:
    """Let `actions` happen and all of it end; every request that was not cancelled has its answer, and no slot is lost.

    `changes`: fields of `request` for the one with that number.
    """
    collected, wanted = Collected(), {}
    for action in actions:
        match action:
            case ("submit", number, prompt, count, (read, write), namespace):
                name = f"r{number}"
                made = request(name, prompt, count, read=read, write=write, namespace=namespace, **changes(number))
                assert loop.submit(made) is None
                wanted[name] = expected(prompt, count)
            case ("step",):
                if loop.busy:
                    collected.add(loop.step())
            case ("abort", number):
                name = f"r{number}"
                loop.abort(name)
                if name in wanted and name not in collected.last:
                    del wanted[name]
            case ("flush",):
                loop.flush()
    drain(loop, collected)
    loop.cache.check_integrity()
    for name, tokens in wanted.items():
        assert collected.tokens[name] == tokens
        usage = collected.last[name].usage
        assert usage is not None
        assert usage.completion_tokens == len(tokens)
        assert min(usage.cached_tokens, usage.cache_write_tokens, usage.plain_tokens) >= 0
    stats = loop.stats()
    assert stats.leased == 0
    assert stats.free + stats.tree == stats.capacity
    return collected
