"""The scenarios are what the README says they are."""

from __future__ import annotations

from itertools import pairwise

import pytest

from radixa.bench.base import Scenario
from radixa.bench.scenarios import WORKLOADS, agent, chatbot, rag
from radixa.core.tokens import count

from .fakes import WordTokenizer


def length(text: str) -> int:
    return count(WordTokenizer().encode(text))


@pytest.fixture(scope="module")
def scenarios() -> dict[str, Scenario]:
    return {name: workload.build(WordTokenizer(), 0, "full") for name, workload in WORKLOADS.items()}


def test_full_sizes() -> None:
    assert chatbot.SIZES["full"] == chatbot.Size(system=800, conversations=16, turns=6, question=60, answer=64)
    full = rag.SIZES["full"]
    assert (full.sets, full.passages, full.passages * full.passage, full.questions) == (8, 5, 1500, 6)
    assert (full.instructions, full.answer) == (200, 64)
    steps = agent.SIZES["full"]
    assert (steps.tools, steps.tasks, steps.steps, steps.observation) == (1000, 8, 8, 120)


def test_chatbot(scenarios: dict[str, Scenario]) -> None:
    threads = scenarios["chatbot"].threads
    assert len(threads) == 16
    assert len({thread.opening for thread in threads}) == 1
    assert abs(length(threads[0].opening[0].content) - 800) <= 1
    for thread in threads:
        assert len(thread.turns) == 6
        assert all(abs(length(turn) - 60) <= 1 for turn in thread.turns)
    assert len({turn for thread in threads for turn in thread.turns}) == 96


def test_rag(scenarios: dict[str, Scenario]) -> None:
    scenario = scenarios["rag"]
    assert scenario.requests == 48
    contexts: dict[str, set[str]] = {}
    for thread in scenario.threads:
        context, question = thread.turns[0].split("\n\nQuestion: ")
        contexts.setdefault(context, set()).add(question)
        assert abs(length(context) - 1500) <= 20
    assert [len(questions) for questions in contexts.values()] == [6] * 8
    # Interleaved: no question follows another one about the same passages.
    order = [thread.turns[0].split("\n\nQuestion: ")[0] for thread in scenario.threads]
    assert all(a != b for a, b in pairwise(order))


def test_agent(scenarios: dict[str, Scenario]) -> None:
    threads = scenarios["agent"].threads
    tasks = [thread for thread in threads if thread.branch_of is None]
    branches = {thread.branch_of: thread for thread in threads if thread.branch_of}
    assert len(tasks) == len(branches) == 8
    assert abs(length(tasks[0].opening[0].content) - 1000) <= 1
    for task in tasks:
        branch = branches[task.name]
        assert len(task.turns) == 8
        assert branch.branch_after + len(branch.turns) == 8
        assert branch.turns[0] != task.turns[branch.branch_after]
        assert all(abs(length(turn) - 120) <= 2 for turn in (*task.turns, *branch.turns))


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("size", ["full", "reduced"])
def test_the_seed_decides(name: str, size: str) -> None:
    def build(seed: int) -> Scenario:
        return WORKLOADS[name].build(WordTokenizer(), seed, size)  # type: ignore[arg-type]

    assert build(1) == build(1)
    assert build(1) != build(2)
    assert build(1).requests == build(2).requests
