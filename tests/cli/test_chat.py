from __future__ import annotations

import asyncio
import io
import sys
import threading
from collections.abc import Iterator

import pytest

from radixa.bench.client import Answer
from radixa.cli.chat import summary
from tests.bench.fakes import FakeServer, WordTokenizer, serving

from .conftest import Radixa


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server on a loop of its own, since the command runs one too."""
    started, stop = threading.Event(), asyncio.Event()
    fake = FakeServer(WordTokenizer())
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with serving(fake):
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait(10)
    yield fake
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def test_a_conversation(radixa: Radixa, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("How tall?\n\nHow long?\n/new\nHow old?\n/quit\nunheard\n"))
    found = radixa("chat", "--url", server.url, "--system", "Be brief.", "--max-tokens", "9", "--temperature", "0")
    assert found.code == 0
    assert found.out == "answer 1 of 2\nanswer 2 of 4\nanswer 3 of 2\n"
    lines = found.err.splitlines()
    assert lines[0] == f"fake at {server.url}"
    assert lines[1].startswith("0 of ")
    assert " prompt tokens cached, 4 tokens answered, first token after " in lines[1]
    assert not lines[2].startswith("0 of ")
    bodies = server.bodies
    assert [len(body["messages"]) for body in bodies] == [2, 4, 2]  # type: ignore[arg-type]
    assert {(body["max_tokens"], body["temperature"], body["model"]) for body in bodies} == {(9, 0.0, "fake")}


def test_an_answer_is_shown_and_not_obeyed(radixa: Radixa, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer = "two\nlines \x1b[31m\x9b[/x]"
    monkeypatch.setattr(sys, "stdin", io.StringIO("How tall?\n"))
    found = radixa("chat", "--url", server.url)
    assert found.out == "two\nlines ␛[31m�[/x]\n"


def test_what_it_cost_is_said_where_the_server_knows() -> None:
    answer = Answer(started=1.0, first_token=1.25, ended=2.0)
    answer.usage = {
        "prompt_tokens": 1100,
        "prompt_tokens_details": {"cached_tokens": 80},
        "radixa": {"cost_usd": 0.0000121, "saved_usd": 0.000030240},
    }
    figures = "80 of 1,100 prompt tokens cached, 0 tokens answered, first token after 250 ms"
    assert summary(answer) == f"{figures}, cost $0.0000121, saved $0.00003024"
    answer.usage["completion_tokens"] = 7
    answer.usage["radixa"] = {"cost_usd": 0, "saved_usd": 0.0}
    assert summary(answer) == f"{figures.replace(' 0 ', ' 7 ')}, cost $0, saved $0"
    answer.usage["radixa"] = {"cost_usd": None, "saved_usd": None}
    assert summary(answer).endswith("250 ms, price unknown")
    del answer.usage["radixa"]
    assert summary(answer).endswith("250 ms")
    answer.usage = {"prompt_tokens": 1234}
    assert summary(answer).startswith("1,234 prompt tokens, cached not reported, 0 tokens answered")
