"""The requests of a back end, against a server that fails on demand."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from radixa.core.errors import CallFailed
from radixa.lang.http import Http
from tests.upstreams.base import Fault
from tests.upstreams.openai import OpenAIStandIn

PATH = "/v1/chat/completions"
ASKED: dict[str, Any] = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "say 4"}]}
STREAMED = ASKED | {"stream": True}


@pytest.fixture
def server() -> Iterator[tuple[OpenAIStandIn, Http]]:
    stand_in = OpenAIStandIn("openai")
    with stand_in.in_thread() as url, closing(Http(f"{url}/v1", "k")) as http:
        yield stand_in, http


def test_a_stream_and_then_another_on_the_same_connection(server: tuple[OpenAIStandIn, Http]) -> None:
    stand_in, http = server
    for _ in range(2):
        assert len(list(http.events(PATH, STREAMED))) > 4
    assert len(stand_in.connections) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("cut_middle"), "."),
        (Fault("end_early"), "before the answer was complete"),
        (Fault("malformed"), "not JSON"),
        (Fault("wrong_type"), "text/event-stream"),
        (Fault("error_event"), "."),
        (Fault("status", status=429), "429"),
    ],
)
def test_a_stream_that_fails(server: tuple[OpenAIStandIn, Http], fault: Fault, said: str) -> None:
    stand_in, http = server
    stand_in.faults.append(fault)
    with pytest.raises(CallFailed, match=said) as caught:
        list(http.events(PATH, STREAMED))
    assert caught.value.message.startswith(http.url + PATH)
    assert list(http.events(PATH, STREAMED))


def test_an_answer_that_is_no_json(server: tuple[OpenAIStandIn, Http]) -> None:
    stand_in, http = server
    stand_in.faults.append(Fault("wrong_type"))
    with pytest.raises(CallFailed, match="not JSON"):
        http.post(PATH, ASKED)


def test_events_on_several_lines(server: tuple[OpenAIStandIn, Http]) -> None:
    stand_in, http = server
    stand_in.faults.append(Fault("several_lines"))
    assert len(list(http.events(PATH, STREAMED))) > 4


def test_requests_under_way_end_before_the_connections(server: tuple[OpenAIStandIn, Http]) -> None:
    stand_in, http = server
    events = http.events(PATH, STREAMED)
    next(events)
    http.close()
    assert len(list(events)) > 3
    with pytest.raises(CallFailed, match="shut down"):
        http.get("/v1/models")
    assert stand_in.left == 0


def test_one_that_is_dropped_leaves_no_connection_open(server: tuple[OpenAIStandIn, Http]) -> None:
    """A socket that is not closed would be a warning, and fail the test."""
    dropped = Http(server[1].url, "k")
    assert dropped.post(PATH, ASKED)["choices"]
    del dropped
    gc.collect()
