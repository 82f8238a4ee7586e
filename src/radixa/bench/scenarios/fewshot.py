"""Few-shot questions: the same solved examples before each of them, all asked at once.

The manner of SGLang's `benchmark/gsm8k` (`--num-shots`, `--num-questions`, `--max-new-tokens`), with generated problems
and with so many examples that 1,000 tokens are in common.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from radixa.bench.base import Codec, Programs
from radixa.bench.scenarios.word_problems import Problem, problems
from radixa.core.tokens import count
from radixa.lang.function import function
from radixa.lang.state import State
from radixa.lang.words import assistant, gen, system, user

MOST_SHOTS = 40
INSTRUCTIONS = "Solve the problem step by step. Write the result alone on the last line, after four number signs."


@dataclass(frozen=True, slots=True)
class Size:
    """Lengths in tokens of the serving model."""

    num_questions: int
    shared: int
    """Instructions and examples together, at most."""
    max_new_tokens: int


SIZES = {
    "full": Size(num_questions=64, shared=1000, max_new_tokens=48),
    "reduced": Size(num_questions=16, shared=1000, max_new_tokens=24),
}


@function
def few_shot(s: State, shots: Sequence[Problem], question: str, max_new_tokens: int) -> None:
    s += system(INSTRUCTIONS)
    for shot in shots:
        s += user(shot.question)
        s += assistant(shot.solution)
    s += user(question)
    s += assistant(gen("answer", max_tokens=max_new_tokens))


def build(codec: Codec, seed: int, size: Size) -> Programs:
    chance = random.Random(f"fewshot {seed}")
    found = problems(chance, MOST_SHOTS + size.num_questions)
    shots: list[Problem] = []
    length = count(codec.encode(INSTRUCTIONS))
    for problem in found[:MOST_SHOTS]:
        length += count(codec.encode(problem.question)) + count(codec.encode(problem.solution))
        if length > size.shared:
            break
        shots.append(problem)
    batch = tuple(
        {"shots": tuple(shots), "question": problem.question, "max_new_tokens": size.max_new_tokens}
        for problem in found[MOST_SHOTS:]
    )
    return Programs("fewshot", "Few-shot questions", few_shot, batch, size.num_questions)
