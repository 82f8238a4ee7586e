"""The parser of event streams, against one that has all of the stream at once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.providers.upstream.sse import EventParser, EventTooLarge, ServerEvent


def whole(stream: bytes) -> list[ServerEvent]:
    """The events of a stream, read line by line as the standard says."""
    events, name, data = [], "", []
    lines = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    for line in [*lines, b""]:
        if not line:
            if data:
                events.append(ServerEvent(name, b"\n".join(data)))
            name, data = "", []
            continue
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode()
    return events


def parsed(pieces: list[bytes]) -> list[ServerEvent]:
    parser = EventParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.end()


line = st.one_of(
    st.binary(max_size=12).map(lambda text: b"data: " + text.replace(b"\r", b"").replace(b"\n", b"")),
    st.sampled_from([b"data:", b"data", b"event: message_stop", b": a comment", b":", b"id: 7", b"retry: 10", b"x: y"]),
    st.just(b""),
)
streams = st.lists(st.tuples(line, st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=30).map(
    lambda lines: b"".join(text + end for text, end in lines)
)


@given(stream=streams, cuts=st.lists(st.integers(0, 400), max_size=12), mark=st.booleans())
def test_events_are_the_same_wherever_the_bytes_are_cut(stream: bytes, cuts: list[int], mark: bool) -> None:
    stream = b"\xef\xbb\xbf" * mark + stream
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[a:b] for a, b in pairwise(places)]
    assert parsed(pieces) == whole(stream)


@given(stream=streams)
def test_events_are_the_same_byte_by_byte(stream: bytes) -> None:
    assert parsed([stream[i : i + 1] for i in range(len(stream))]) == whole(stream)


def test_an_event_with_a_name_and_several_lines() -> None:
    assert parsed([b"event: a\ndata: one\r\ndata:two\n\r", b"\n: c\n\ndata: x\n\n"]) == [
        ServerEvent("a", b"one\ntwo"),
        ServerEvent("", b"x"),
    ]


def test_an_event_comes_as_soon_as_it_is_complete() -> None:
    parser = EventParser()
    assert parser.feed(b"data: [1]\n") == []
    assert parser.feed(b"\ndata: [2") == [ServerEvent("", b"[1]")]
    assert parser.feed(b"]\r\n\r") == [ServerEvent("", b"[2]")]


def test_the_last_event_needs_no_blank_line() -> None:
    assert parsed([b"data: 1\n\ndata: [DONE]"]) == [ServerEvent("", b"1"), ServerEvent("", b"[DONE]")]


@pytest.mark.parametrize("ended", [b"", b"\n\n"])
def test_an_event_over_the_limit_is_refused_whether_it_ends_or_not(ended: bytes) -> None:
    parser = EventParser(limit=100)
    assert parser.feed(b"data: " + b"x" * 90) == []
    with pytest.raises(EventTooLarge, match="more than 100 bytes"):
        parser.feed(b"x" * 20 + ended)


def test_many_events_may_together_be_over_the_limit() -> None:
    parser = EventParser(limit=100)
    assert len(parser.feed(b"data: x\n\n" * 100)) == 100
