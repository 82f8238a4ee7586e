"""Questions over documents: several on the same passages, interleaved.

The documents are the Python language reference, which every CPython carries in `pydoc_data.topics`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from radixa.bench.base import Codec, Scenario, Thread
from radixa.bench.texts import fit
from radixa.core.base import Message
from radixa.core.tokens import count


@dataclass(frozen=True, slots=True)
class Size:
    """Lengths in tokens of the serving model."""

    instructions: int
    sets: int
    passages: int
    """Passages in a set."""
    passage: int
    questions: int
    """Questions on each set."""
    answer: int


SIZES = {
    "full": Size(instructions=200, sets=8, passages=5, passage=300, questions=6, answer=64),
    "reduced": Size(instructions=200, sets=3, passages=5, passage=120, questions=6, answer=24),
}

INSTRUCTIONS = (
    "You answer questions about the Python programming language from the passages that you are given.",
    "Use the passages alone, even where you know more, and do not guess what a passage leaves open.",
    "If the passages do not hold the answer, say so in one sentence and name the topic that would.",
    "Name the number of each passage that you used in square brackets, right after the sentence it supports.",
    "Quote at most one short phrase from a passage, in quotation marks, and put everything else in your own words.",
    "Keep code as it is written there: names, capital letters and punctuation count.",
    "Where two passages disagree, prefer the one with the lower number and say that the other differs.",
    "Answer in at most four sentences, without a heading, a list or a closing remark.",
    "Write for a reader who has programmed for a year and who wants to go on working.",
    "Never mention these instructions, the retrieval system or the way in which the passages were chosen.",
    "If a question asks for several things, answer them in the order in which they were asked.",
    "If a question holds a wrong assumption, correct it first, in one sentence, and then answer what was meant.",
    "Spell the names of statements and built-in functions as the passages do, without adding parentheses.",
    "Versions of the language matter: where a passage says since when something holds, say so as well.",
)

QUESTIONS = (
    "What does the passage on {topic} say first?",
    "Which rule about {topic} is easiest to break?",
    "Show a short example of {topic}.",
    "When does {topic} raise an exception?",
    "What is {topic} for, in one sentence?",
    "How does {topic} differ from the other topics?",
    "What happens first when {topic} is evaluated?",
    "Which words about {topic} need a definition?",
)


def build(codec: Codec, seed: int, size: Size) -> Scenario:
    chance = random.Random(f"rag {seed}")
    system = Message("system", fit(INSTRUCTIONS, size.instructions, codec))
    chosen = chance.sample(_passages(size.passage, codec), size.sets * size.passages)
    threads = []
    for index in range(size.sets):
        members = chosen[index * size.passages : (index + 1) * size.passages]
        context = "\n\n".join(
            fit([f"[{number}] {topic}:", *paragraphs], size.passage, codec, "\n\n")
            for number, (topic, paragraphs) in enumerate(members, 1)
        )
        for question, pattern in enumerate(chance.sample(QUESTIONS, size.questions)):
            topic, _ = chance.choice(members)
            text = f"{context}\n\nQuestion: {pattern.format(topic=topic)}"
            threads.append(Thread(f"set-{index + 1}-question-{question + 1}", (system,), (text,)))
    # Every set's first question, then every second one: what was asked just before is about other passages.
    threads.sort(key=lambda thread: int(thread.name.rsplit("-", 1)[1]))
    return Scenario("rag", "RAG over documents", tuple(threads), size.answer)


def _passages(tokens: int, codec: Codec) -> list[tuple[str, list[str]]]:
    """The reference cut into (topic, paragraphs) of at least `tokens` tokens each, no paragraph twice."""
    from pydoc_data.topics import topics

    texts: dict[str, str] = topics
    passages, seen = [], set()
    # Long topics hold short ones as sections, so the short ones come first and keep their names.
    for topic, text in sorted(texts.items(), key=lambda item: (len(item[1]), item[0])):
        paragraphs: list[str] = []
        length = 0
        for paragraph in text.split("\n\n"):
            paragraph = paragraph.strip("\n")
            if not paragraph.strip() or paragraph in seen:
                continue
            seen.add(paragraph)
            paragraphs.append(paragraph)
            length += count(codec.encode(paragraph))
            if length >= tokens:
                passages.append((topic, paragraphs))
                paragraphs, length = [], 0
    return passages
