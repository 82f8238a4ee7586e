"""Finding and keeping one node between steps, however large the tree; and questions that do not put off the check."""

from __future__ import annotations

from typing import Any

import pytest

from radixa.core.tokens import pack
from radixa.engine import searches, worker
from radixa.engine.loop import EngineLoop
from radixa.engine.messages import Ask, AskChanges, AskNode, AskStats, FromEngine, NodePath, Outputs, Stop, ToEngine
from radixa.engine.searches import Search, search_on
from radixa.engine.worker import run
from radixa.radix import Keep

from .content import content_loop, expected
from .test_worker import Script, ask_for


def filled(nodes: int) -> EngineLoop:
    """Paths of two nodes each in the namespace `a`, from a common first token."""
    loop = content_loop(capacity=20_000)
    for number in range(nodes):
        lease = loop.cache.bare("a")
        loop.cache.extend(lease, 3)
        loop.cache.finish(lease, pack([5, number, 1]))
    return loop


def test_a_node_is_told_with_those_above_it_and_kept() -> None:
    loop = filled(3)
    trunk, leaf, *_ = loop.cache.walk("a")
    script = Script(
        [
            Ask(1, AskNode(leaf.id, "a")),
            Ask(2, AskNode(leaf.id, None, True, Keep(pin=True))),
            Ask(3, AskNode(1 << 50, None)),
        ],
        [Ask(4, AskNode(leaf.id, "b")), Ask(5, AskNode(leaf.id, "a", True, None))],
    )
    run(loop, script)
    answers = script.answers()
    shown, held, freed = (answers[number].result for number in (1, 2, 5))
    assert isinstance(shown, NodePath)
    assert isinstance(held, NodePath)
    assert isinstance(freed, NodePath)
    assert [(node.id, node.parent, node.keep) for node in shown.nodes] == [
        (trunk.id, 0, None),
        (leaf.id, trunk.id, None),
    ]
    assert [node.keep for node in held.nodes] == [Keep(pin=True)] * 2
    assert [node.keep for node in freed.nodes] == [None, None]
    for number in (3, 4):
        assert answers[number].fault is not None
        assert answers[number].fault.kind == "NotFound"


def test_a_search_goes_on_between_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "SEARCH_SLICE", 10)
    loop = filled(200)
    first = next(node for node in loop.cache.walk("a") if node.parent)
    script = Script([Ask(1, AskNode(first.id, None)), ask_for("one", [7, 8, 9], 5)])
    run(loop, script)
    kinds = [type(message).__name__ for message in script.sent if not isinstance(message, type(script.sent[0]))]
    assert kinds.index(Outputs.__name__) < kinds.index("Answer")
    assert script.tokens("one") == expected([7, 8, 9], 5)
    assert isinstance(script.answers()[1].result, NodePath)


def test_many_searches_share_a_slice_and_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "SEARCH_SLICE", 10)
    loop = filled(40)
    leaves = [node.id for node in loop.cache.walk("a") if node.parent]
    waiting = [Search.begin(loop, place, AskNode(number, "a")) for place, number in enumerate([*leaves, 1])]
    # Were a slice one search's own, each turn would bring all of them on by ten nodes.
    turns, answers = 0, []
    while waiting:
        answers += search_on(waiting, loop)
        turns += 1
    assert turns > len(leaves)
    assert sorted(answer.id for answer in answers) == list(range(len(leaves) + 1))
    assert [answer.id for answer in answers if answer.fault is not None] == [len(leaves)]


class Asking:
    """Asks without end, until the loop has been checked."""

    def __init__(self, loop: EngineLoop) -> None:
        self.turns = 0
        self.checks = 0
        self.asked: list[ToEngine] = [ask_for("one", [1, 2, 3])]
        check = loop.cache.check_integrity

        def counted() -> None:
            self.checks += 1
            check()

        loop.cache.check_integrity = counted  # type: ignore[method-assign]

    def receive(self, timeout: float | None) -> list[ToEngine]:
        self.turns += 1
        if self.turns > 500:
            return [Stop()]
        messages, self.asked = [*self.asked, Ask(self.turns, AskChanges()), Ask(-self.turns, AskStats())], []
        return messages

    def send(self, message: FromEngine) -> None:
        pass

    def wake(self) -> None:
        pass


def test_who_asks_without_end_does_not_put_off_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "IDLE_CHECK_SECONDS", 0.0)
    loop: Any = content_loop()
    channel = Asking(loop)
    run(loop, channel)
    assert channel.checks == 1
