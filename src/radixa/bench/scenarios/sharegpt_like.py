"""Conversations as long as those of ShareGPT, in which nothing is shared but a conversation's own history.

No data set is needed: the texts are generated. There are 3.51 turns in the mean, as published comparisons of data sets
have it for ShareGPT (arXiv 2512.17843, 2405.01470); 94.46 ± 626.39 tokens a question and 348.45 ± 269.93 an answer are
parameters of this workload that mean to be like ShareGPT's, and were not checked against it. Lengths are drawn from the
log-normal distributions of that mean and deviation, numbers of turns from the geometric one of that mean. Questions and
totals are limited as SGLang's and vLLM's `bench_serving` limit them, so what is asked in the end is shorter.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from radixa.bench.base import Codec, Programs
from radixa.bench.texts import prose
from radixa.lang.function import function
from radixa.lang.state import State
from radixa.lang.words import assistant, gen, user

MEAN_TURNS = 3.51
LEAST_TOKENS = 4
"""`bench_serving` leaves shorter questions and answers out."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of a kind of text."""

    mean: float
    deviation: float

    def draw(self, chance: random.Random) -> int:
        variance = math.log(1 + (self.deviation / self.mean) ** 2)
        length = 0
        while length < LEAST_TOKENS:
            length = round(chance.lognormvariate(math.log(self.mean) - variance / 2, math.sqrt(variance)))
        return length


QUESTION = Lengths(94.46, 626.39)
ANSWER = Lengths(348.45, 269.93)


@dataclass(frozen=True, slots=True)
class Size:
    """Lengths in tokens of the serving model."""

    conversations: int
    max_question: int
    max_total: int
    """Of a conversation, all questions and answers; a turn that would go beyond it is not asked."""


SIZES = {
    "full": Size(conversations=16, max_question=1024, max_total=2048),
    "reduced": Size(conversations=6, max_question=256, max_total=1024),
}


@function
def conversation(s: State, questions: Sequence[str], answer_tokens: Sequence[int]) -> None:
    for number, (question, tokens) in enumerate(zip(questions, answer_tokens, strict=True)):
        s += user(question)
        s += assistant(gen(f"answer-{number}", max_tokens=tokens))


def build(codec: Codec, seed: int, size: Size) -> Programs:
    chance = random.Random(f"sharegpt-like {seed}")
    batch: list[dict[str, Any]] = []
    for _ in range(size.conversations):
        turns = lengths(chance, size)
        questions = [prose(chance, question, codec) for question, _ in turns]
        batch.append({"questions": questions, "answer_tokens": [answer for _, answer in turns]})
    requests = sum(len(arguments["questions"]) for arguments in batch)
    return Programs("sharegpt-like", "ShareGPT-like chat", conversation, tuple(batch), requests)


def lengths(chance: random.Random, size: Size) -> list[tuple[int, int]]:
    """Tokens of each question of one conversation, and of its answer; at least one turn."""
    turns: list[tuple[int, int]] = []
    wanted = 1 + math.floor(math.log(1 - chance.random()) / math.log(1 - 1 / MEAN_TURNS))
    total = 0
    while len(turns) < wanted:
        question, answer = QUESTION.draw(chance), ANSWER.draw(chance)
        total += question + answer
        if question <= size.max_question and total <= size.max_total:
            turns.append((question, answer))
        elif turns:
            break
        else:
            # `bench_serving` takes another conversation where the first turn is too long.
            total = 0
    return turns
