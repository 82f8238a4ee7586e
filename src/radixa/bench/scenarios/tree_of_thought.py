"""Tree of thought: plans for a question, solutions of each plan, reviews of each solution.

The program of SGLang's `benchmark/tree_of_thought_v0`: three levels, `num_branches` forks at each. There the branches
differ by sampling. Here answers are greedy, so that both runs send the same requests, and each branch is told its own
way of going about it at the end of what it is asked.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from radixa.bench.base import Codec, Programs
from radixa.bench.scenarios.word_problems import problems
from radixa.lang.function import function
from radixa.lang.state import State, StateGroup
from radixa.lang.words import assistant, gen, system, user


@dataclass(frozen=True, slots=True)
class Size:
    num_questions: int
    num_branches: int
    max_tokens: int
    """Of each answer, in tokens of the serving model."""


SIZES = {
    "full": Size(num_questions=4, num_branches=3, max_tokens=64),
    "reduced": Size(num_questions=2, num_branches=2, max_tokens=24),
}

INSTRUCTIONS = (
    "You solve problems with a partner, in three stages. First you agree on a plan, without any calculation: which "
    "quantities are known, which one is asked for, and which steps lead from the ones to the other. Then you carry the "
    "plan out with the real numbers, one step a line, and name the result. Last you review the solution as a stranger "
    "would, check each step and the result, and grade it from 1 to 5. Stay with the stage you are asked for."
)
PLAN = "Let us begin with the plan, in at most eighty words and without numbers."
SOLVE = "I agree with this plan. Now carry it out with the real numbers, step by step, and name the result."
REVIEW = "Thank you. Now review this solution rigorously, and end with its grade from 1 to 5."
WAYS = (
    "Go forward from what is known.",
    "Go backward from what is asked.",
    "Split it into two smaller problems first.",
    "Estimate first, then be exact.",
)


def branches(s: State, request: str, name: str, num_branches: int, max_tokens: int) -> StateGroup:
    """One level: each fork asks the same in its own way."""
    forks = s.fork(num_branches)
    forks += [user(f"{request} {way}") for way in WAYS[:num_branches]]
    forks += assistant(gen(name, max_tokens=max_tokens))
    return forks


@function
def tree_search(s: State, question: str, num_branches: int, max_tokens: int) -> None:
    s += system(INSTRUCTIONS)
    plans = branches(s, f"Problem: {question}\n\n{PLAN}", "plan", num_branches, max_tokens)
    solutions = [branches(plan, SOLVE, "answer", num_branches, max_tokens) for plan in plans]
    reviews = [
        branches(solution, REVIEW, "score", num_branches, max_tokens) for group in solutions for solution in group
    ]
    for group in (*reviews, *solutions, plans):
        group.join()


def build(codec: Codec, seed: int, size: Size) -> Programs:
    """The texts have no given lengths, so nothing is measured by `codec`."""
    chance = random.Random(f"tree-of-thought {seed}")
    limits = {"num_branches": size.num_branches, "max_tokens": size.max_tokens}
    batch = tuple({"question": problem.question, **limits} for problem in problems(chance, size.num_questions))
    requests = size.num_questions * sum(size.num_branches**level for level in (1, 2, 3))
    return Programs("tree-of-thought", "Tree of thought", tree_search, batch, requests)
