"""The workloads, by name: each builds a `Scenario` from a tokenizer, a seed and a size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from radixa.bench.base import Codec, Scenario
from radixa.bench.scenarios import agent, chatbot, rag

SizeName = Literal["full", "reduced"]


@dataclass(frozen=True, slots=True)
class Workload:
    """One line for the help, and how to build it."""

    summary: str
    build: Callable[[Codec, int, SizeName], Scenario]


WORKLOADS: dict[str, Workload] = {
    "chatbot": Workload(
        "a support chatbot: one long system prompt, conversations interleaved",
        lambda codec, seed, size: chatbot.build(codec, seed, chatbot.SIZES[size]),
    ),
    "rag": Workload(
        "questions over documents: several on the same passages of the Python language reference",
        lambda codec, seed, size: rag.build(codec, seed, rag.SIZES[size]),
    ),
    "agent": Workload(
        "a multi-step agent: tools in the prompt, an observation a step, one branch a task",
        lambda codec, seed, size: agent.build(codec, seed, agent.SIZES[size]),
    ),
}
