"""The worker between a loop and its channel: questions, slices, and what happens when one fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from radixa.core.base import SamplingParams
from radixa.core.tokens import pack
from radixa.engine.base import EngineRequest, Flushed, TreePage, TreeQuery
from radixa.engine.messages import (
    Answer,
    Ask,
    AskExplain,
    AskFlush,
    AskStats,
    Explained,
    FromEngine,
    Outputs,
    Stop,
    Submit,
    ToEngine,
    decode_from_engine,
    decode_to_engine,
    encode,
)
from radixa.engine.worker import FLUSH_SLICE, run

from .content import content_loop, expected


class Script:
    """Gives one list of messages a turn, then waits until nothing is outstanding and stops. All of it as bytes."""

    def __init__(self, *turns: list[ToEngine], patience: int = 200) -> None:
        self.turns = list(turns)
        self.patience = patience
        self.sent: list[FromEngine] = []

    def receive(self, timeout: float | None) -> list[ToEngine]:
        if self.turns:
            return [decode_to_engine(encode(message)) for message in self.turns.pop(0)]
        self.patience -= 1
        return [] if timeout == 0.0 and self.patience else [Stop()]

    def send(self, message: FromEngine) -> None:
        self.sent.append(decode_from_engine(encode(message)))

    def wake(self) -> None:
        raise AssertionError("nothing beneath this cache works in the background")

    def answers(self) -> dict[int, Answer]:
        return {message.id: message for message in self.sent if isinstance(message, Answer)}

    def tokens(self, name: str) -> list[int]:
        outputs = [o for message in self.sent if isinstance(message, Outputs) for o in message.outputs]
        return [token for output in outputs if output.request_id == name for token in output.token_ids]


def ask_for(name: str, prompt: list[int], count: int = 3) -> Submit:
    return Submit(EngineRequest(name, pack(prompt), "a", SamplingParams(max_tokens=count, temperature=0)))


def test_questions_are_answered_while_requests_run() -> None:
    script = Script(
        [ask_for("one", [1, 2, 3, 4], 20)],
        [],
        [Ask(1, AskStats()), Ask(2, TreeQuery()), Ask(3, AskExplain(pack([1, 2, 9, 9]), "a", read=True))],
    )
    run(content_loop(), script)
    assert script.tokens("one") == expected([1, 2, 3, 4], 20)
    page = script.answers()[2].result
    assert isinstance(page, TreePage)
    assert [node.namespace for node in page.nodes] == ["a"]
    found = script.answers()[3].result
    assert isinstance(found, Explained)
    assert found.explanation.miss is not None
    assert (found.explanation.miss.at, found.explanation.miss.reason) == (2, "diverged")
    assert found.explanation.miss.tree[0] == pack([3, 4])


def test_a_question_that_fails_is_answered_with_its_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = content_loop()

    def broken(*arguments: Any, **named: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(loop.cache), "explain", broken, raising=True)
    script = Script([Ask(1, AskExplain(pack([1]), "a", read=True)), Ask(2, TreeQuery(cursor=99)), Ask(3, AskStats())])
    run(loop, script)
    answers = script.answers()
    assert answers[1].fault is not None
    assert "failed to answer" in answers[1].fault.message
    assert answers[2].fault is not None
    assert answers[2].fault.kind == "NotFound"
    assert answers[3].fault is None


def test_a_large_flush_goes_on_between_steps() -> None:
    loop = content_loop(capacity=20_000)
    for number in range(3 * FLUSH_SLICE):
        lease = loop.cache.bare("a")
        loop.cache.extend(lease, 2)
        loop.cache.finish(lease, pack([number, number]))
    script = Script([Ask(1, AskFlush(None, None, None)), ask_for("one", [7, 8, 9], 5)])
    run(loop, script)
    flushed = script.answers()[1].result
    assert isinstance(flushed, Flushed)
    assert flushed.tokens >= 6 * FLUSH_SLICE
    kinds = [type(m).__name__ for m in script.sent if isinstance(m, Outputs | Answer)]
    assert kinds.index("Outputs") < kinds.index("Answer")
    assert script.tokens("one") == expected([7, 8, 9], 5)


@pytest.mark.parametrize("limit", [1, 7, 50])
def test_pages_of_a_walk_are_the_whole_walk_and_one_account_cannot_go_on_anothers(limit: int) -> None:
    loop = content_loop(capacity=20_000)
    for number in range(20):
        lease = loop.cache.bare("a")
        loop.cache.extend(lease, 3)
        loop.cache.finish(lease, pack([number % 4, number, 1]))

    def pages() -> Iterator[TreePage]:
        page = loop.tree(TreeQuery("a", limit=limit))
        yield page
        while page.cursor is not None:
            with pytest.raises(Exception, match="begin again"):
                loop.tree(TreeQuery("b", limit=limit, cursor=page.cursor + 1))
            page = loop.tree(TreeQuery("a", limit=limit, cursor=page.cursor))
            yield page

    ids = [node.id for page in pages() for node in page.nodes]
    assert ids == [view.id for view in loop.cache.walk("a")]
    cursor = loop.tree(TreeQuery("a", limit=1)).cursor
    with pytest.raises(Exception, match="begin again"):
        loop.tree(TreeQuery("b", limit=1, cursor=cursor))
