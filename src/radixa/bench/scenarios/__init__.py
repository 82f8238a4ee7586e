"""The workloads, by name: each builds what is asked from a tokenizer, a seed and a size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from radixa.bench.base import Codec, Programs, Scenario
from radixa.bench.scenarios import agent, chatbot, fewshot, rag, shared_prefix, sharegpt_like, tree_of_thought

SizeName = Literal["full", "reduced"]
Built = TypeVar("Built", covariant=True)


@dataclass(frozen=True, slots=True)
class Workload(Generic[Built]):
    """One line for the help, and how to build it."""

    summary: str
    build: Callable[[Codec, int, SizeName], Built]


WORKLOADS: dict[str, Workload[Scenario]] = {
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
"""The cost scenarios: what `radixa demo` shows and `radixa bench all` measures."""

PROGRAMS: dict[str, Workload[Programs]] = {
    "fewshot": Workload(
        "questions after the same solved examples, all at once",
        lambda codec, seed, size: fewshot.build(codec, seed, fewshot.SIZES[size]),
    ),
    "tree-of-thought": Workload(
        "plans, solutions and reviews of one question, each level forked from the one before",
        lambda codec, seed, size: tree_of_thought.build(codec, seed, tree_of_thought.SIZES[size]),
    ),
    "shared-prefix": Workload(
        "groups of prompts with one long system prompt each, shuffled",
        lambda codec, seed, size: shared_prefix.build(codec, seed, shared_prefix.SIZES[size]),
    ),
    "sharegpt-like": Workload(
        "conversations about as long as ShareGPT's, which share nothing but their own history",
        lambda codec, seed, size: sharegpt_like.build(codec, seed, sharegpt_like.SIZES[size]),
    ),
}
"""Those written in the front-end language, with the names and parameters that SGLang's benchmarks have."""

SCENARIOS: Mapping[str, Workload[Scenario | Programs]] = {**WORKLOADS, **PROGRAMS}
