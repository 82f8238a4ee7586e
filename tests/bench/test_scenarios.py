"""The scenarios are what the README says they are."""

from __future__ import annotations

import operator
import random
import re
import statistics
from collections import Counter
from itertools import pairwise

import pytest

from radixa.bench.base import Programs, Scenario
from radixa.bench.scenarios import (
    PROGRAMS,
    SCENARIOS,
    WORKLOADS,
    SizeName,
    agent,
    chatbot,
    fewshot,
    rag,
    shared_prefix,
    sharegpt_like,
    tree_of_thought,
    word_problems,
)
from radixa.core.tokens import count

from .fakes import WordTokenizer

TOKENIZER = WordTokenizer()


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


def test_fewshot() -> None:
    found = PROGRAMS["fewshot"].build(WordTokenizer(), 0, "full")
    assert len(found.batch) == found.requests == 64
    assert len({arguments["shots"] for arguments in found.batch}) == 1
    assert len({arguments["question"] for arguments in found.batch}) == 64
    shots = found.batch[0]["shots"]
    texts = [fewshot.INSTRUCTIONS, *(text for shot in shots for text in (shot.question, shot.solution))]
    assert 850 <= sum(length(text) for text in texts) <= 1000
    assert all(length(arguments["question"]) <= 50 for arguments in found.batch)
    assert shots[0].question not in {arguments["question"] for arguments in found.batch}


def test_problems_are_solved_right() -> None:
    for problem in word_problems.problems(random.Random(3), 200):
        steps, result = problem.solution.split("\n#### ")
        sums = re.findall(r"(\d+) ([-+*/]) (\d+) = (\d+)", steps)
        work = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}
        assert len(sums) == 2
        assert all(work[sign](int(a), int(b)) == int(c) for a, sign, b, c in sums)
        assert sums[-1][3] == result
        assert int(result) > 0


def test_tree_of_thought() -> None:
    found = PROGRAMS["tree-of-thought"].build(WordTokenizer(), 0, "full")
    assert found.requests == 4 * (3 + 9 + 27)
    assert len(tree_of_thought.WAYS) >= max(size.num_branches for size in tree_of_thought.SIZES.values())


def test_shared_prefix() -> None:
    assert shared_prefix.SIZES["full"] == shared_prefix.Size(4, 16, 2048, 128, 32)
    found = PROGRAMS["shared-prefix"].build(WordTokenizer(), 0, "reduced")
    groups = Counter(arguments["instructions"] for arguments in found.batch)
    assert list(groups.values()) == [6] * 3
    assert all(abs(length(text) - 512) <= 2 for text in groups)
    assert len({arguments["question"] for arguments in found.batch}) == found.requests == 18
    assert all(abs(length(arguments["question"]) - 64) <= 2 for arguments in found.batch)
    order = [arguments["instructions"] for arguments in found.batch]
    assert sum(a == b for a, b in pairwise(order)) < 12  # 15 where groups follow each other


def test_lengths_are_those_of_sharegpt() -> None:
    chance = random.Random(0)
    size = sharegpt_like.Size(conversations=1, max_question=1 << 30, max_total=1 << 40)
    drawn = [sharegpt_like.lengths(chance, size) for _ in range(5_000)]
    assert statistics.mean(len(turns) for turns in drawn) == pytest.approx(sharegpt_like.MEAN_TURNS, rel=0.05)
    answers = [answer for turns in drawn for _, answer in turns]
    assert statistics.mean(answers) == pytest.approx(348.45, rel=0.05)
    assert statistics.pstdev(answers) == pytest.approx(269.93, rel=0.15)
    # The short ones are left out, so the mean is above that of all; the tail is too heavy for its deviation to settle.
    questions = [question for turns in drawn for question, _ in turns]
    assert 94.46 < statistics.mean(questions) < 3 * 94.46
    assert min(questions) == sharegpt_like.LEAST_TOKENS


@pytest.mark.parametrize("size", ["full", "reduced"])
def test_sharegpt_like(size: SizeName) -> None:
    limits = sharegpt_like.SIZES[size]
    found = PROGRAMS["sharegpt-like"].build(WordTokenizer(), 0, size)
    assert len(found.batch) == limits.conversations
    assert found.requests == sum(len(arguments["questions"]) for arguments in found.batch)
    for arguments in found.batch:
        lengths = [length(question) for question in arguments["questions"]]
        assert max(lengths) <= limits.max_question
        assert sum(lengths) + sum(arguments["answer_tokens"]) <= limits.max_total
    assert any(len(arguments["questions"]) > 1 for arguments in found.batch)


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("size", ["full", "reduced"])
def test_the_seed_decides(name: str, size: SizeName) -> None:
    def build(seed: int) -> Scenario | Programs:
        return SCENARIOS[name].build(TOKENIZER, seed, size)

    assert build(1) == build(1)
    assert build(1) != build(2)
    if name != "sharegpt-like":
        assert build(1).requests == build(2).requests
