"""Groups of prompts, each group after one long system prompt of its own.

SGLang's `generated-shared-prefix` data set (`bench_serving --dataset-name generated-shared-prefix`), with the prompt
lengths that it has by default. It has 64 groups there and answers of 256 tokens, which are a GPU's work.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from radixa.bench.base import Codec, Programs
from radixa.bench.texts import prose
from radixa.lang.function import function
from radixa.lang.state import State
from radixa.lang.words import assistant, gen, system, user


@dataclass(frozen=True, slots=True)
class Size:
    """SGLang's `--gsp-…` options; lengths in tokens of the serving model."""

    num_groups: int
    prompts_per_group: int
    system_prompt_len: int
    question_len: int
    output_len: int


SIZES = {
    "full": Size(num_groups=4, prompts_per_group=16, system_prompt_len=2048, question_len=128, output_len=32),
    "reduced": Size(num_groups=3, prompts_per_group=6, system_prompt_len=512, question_len=64, output_len=16),
}


@function
def answer(s: State, instructions: str, question: str, output_len: int) -> None:
    s += system(instructions)
    s += user(question)
    s += assistant(gen("answer", max_tokens=output_len))


def build(codec: Codec, seed: int, size: Size) -> Programs:
    """Prompts come shuffled, so that neighbours are seldom of one group."""
    chance = random.Random(f"shared-prefix {seed}")
    batch = []
    for _ in range(size.num_groups):
        instructions = prose(chance, size.system_prompt_len, codec)
        for _ in range(size.prompts_per_group):
            question = prose(chance, size.question_len, codec)
            batch.append({"instructions": instructions, "question": question, "output_len": size.output_len})
    chance.shuffle(batch)
    return Programs("shared-prefix", "Generated shared prefix", answer, tuple(batch), len(batch))
