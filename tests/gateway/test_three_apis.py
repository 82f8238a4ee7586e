"""One conversation through chat, responses and messages, on a real server with the real model (law 5)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.gateway.live import Clients

MODEL = "deepseek-chat"
SYSTEM = "You are brief. Answer in one short sentence."
TURNS: Any = [
    {"role": "user", "content": "What is the capital of France?"},
    {"role": "assistant", "content": "The capital of France is Paris."},
    {"role": "user", "content": "And of Italy?"},
]
MAX = 12
GREEDY = {"temperature": 0}
"""Which Anthropic's SDK knows no more, and its API still does."""


class Told(NamedTuple):
    """What an answer says, whatever the API; `written` and the rest are its counts."""

    text: str
    prompt: int
    cached: int
    written: int
    completion: int
    cost: float
    saved: float


def chat(clients: Clients, wishes: dict[str, Any]) -> Told:
    messages: Any = [{"role": "system", "content": SYSTEM}, *TURNS]
    made = clients.openai.chat.completions.create(
        model=MODEL, messages=messages, max_tokens=MAX, temperature=0, extra_body=wishes
    )
    return _chat(made.choices[0].message.content or "", made.usage)


def chat_streamed(clients: Clients, wishes: dict[str, Any]) -> Told:
    messages: Any = [{"role": "system", "content": SYSTEM}, *TURNS]
    stream = clients.openai.chat.completions.create(
        model=MODEL,
        messages=messages,
        max_tokens=MAX,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
        extra_body=wishes,
    )
    chunks = list(stream)
    return _chat("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), chunks[-1].usage)


def _chat(text: str, usage: Any) -> Told:
    details, radixa = usage.prompt_tokens_details, usage.radixa
    return Told(
        text,
        usage.prompt_tokens,
        details.cached_tokens,
        details.cache_write_tokens,
        usage.completion_tokens,
        radixa["cost_usd"],
        radixa["saved_usd"],
    )


def responses(clients: Clients, wishes: dict[str, Any]) -> Told:
    made = clients.openai.responses.create(
        model=MODEL, instructions=SYSTEM, input=TURNS, max_output_tokens=MAX, temperature=0, extra_body=wishes
    )
    return _response(made)


def responses_streamed(clients: Clients, wishes: dict[str, Any]) -> Told:
    with clients.openai.responses.stream(
        model=MODEL, instructions=SYSTEM, input=TURNS, max_output_tokens=MAX, temperature=0, extra_body=wishes
    ) as stream:
        events = list(stream)
    return _response(events[-1].response)  # type: ignore[union-attr]


def _response(made: Any) -> Told:
    usage, radixa = made.usage, made.usage.radixa
    return Told(
        made.output_text,
        usage.input_tokens,
        usage.input_tokens_details.cached_tokens,
        usage.input_tokens_details.cache_write_tokens,
        usage.output_tokens,
        radixa["cost_usd"],
        radixa["saved_usd"],
    )


def messages(clients: Clients, wishes: dict[str, Any]) -> Told:
    made = clients.anthropic.messages.create(
        model=MODEL, system=SYSTEM, messages=TURNS, max_tokens=MAX, extra_body=GREEDY | wishes
    )
    return _message(made.content[0].text, made.usage)  # type: ignore[union-attr]


def messages_streamed(clients: Clients, wishes: dict[str, Any]) -> Told:
    with clients.anthropic.messages.create(
        model=MODEL, system=SYSTEM, messages=TURNS, max_tokens=MAX, stream=True, extra_body=GREEDY | wishes
    ) as stream:
        events: list[Any] = list(stream)
    text = "".join(event.delta.text for event in events if event.type == "content_block_delta")
    (delta,) = (event for event in events if event.type == "message_delta")
    return _message(text, delta.usage)


def _message(text: str, usage: Any) -> Told:
    cached, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    return Told(
        text,
        usage.input_tokens + cached + written,
        cached,
        written,
        usage.output_tokens,
        usage.radixa["cost_usd"],
        usage.radixa["saved_usd"],
    )


WAYS: list[Callable[[Clients, dict[str, Any]], Told]] = [
    chat,
    chat_streamed,
    responses,
    responses_streamed,
    messages,
    messages_streamed,
]


@pytest.mark.parametrize("salted", [True, False])
def test_the_same_conversation_costs_the_same(clients: Clients, salted: bool) -> None:
    if not salted:
        # Whoever comes first pays for the prompt.
        chat(clients, {})
    # Salts that nobody used on this server.
    run = secrets.token_hex(4)
    told = [way(clients, {"cache_salt": f"{way.__name__} {run}"} if salted else {}) for way in WAYS]
    assert len(set(told)) == 1, told
    one = told[0]
    assert "Rome" in one.text
    assert one.cost > 0
    assert one.cached == (0 if salted else one.prompt - 1)
    assert one.written == (one.prompt if salted else 0)


def test_counts_without_an_answer(clients: Clients) -> None:
    prompt = chat(clients, {}).prompt
    counted = clients.anthropic.messages.count_tokens(model=MODEL, system=SYSTEM, messages=TURNS)
    assert counted.input_tokens == prompt
    found = clients.openai.responses.input_tokens.count(model=MODEL, instructions=SYSTEM, input=TURNS)
    assert found.input_tokens == prompt


def test_a_second_turn_of_claude_code_hits(clients: Clients) -> None:
    def ask(turns: Any, found: str) -> Any:
        line = f"x-anthropic-billing-header: cc_version=2.1.36.f1a; cc_entrypoint=cli; cch={found};"
        system: Any = [
            {"type": "text", "text": line},
            {"type": "text", "text": "\nYou are Claude Code. " + SYSTEM, "cache_control": {"type": "ephemeral"}},
        ]
        made = clients.anthropic.messages.create(
            model=MODEL, system=system, messages=turns, max_tokens=MAX, extra_body=GREEDY
        )
        return made.usage

    first = ask(TURNS[:1], "8c07d")
    second = ask(TURNS, "1e9aa")
    before = first.input_tokens + first.cache_read_input_tokens + first.cache_creation_input_tokens
    # All of the first turn but what opened its answer.
    assert second.cache_read_input_tokens >= before - 5
