"""Answer from documents: the passages that fit each question, in the order that the cache holds already.

radixa serve --sandbox
RADIXA_API_KEY=rx-… python examples/rag.py

The documents are the Debian policy where it is installed (apt install debian-policy), else some of Python's reference.
"""

from __future__ import annotations

import os
from pathlib import Path
from pydoc_data.topics import topics

from openai import OpenAI

import radixa as rx

POLICY = Path("/usr/share/doc/debian-policy/policy.html")
STATEMENTS = ("assert", "break", "del", "for", "if", "raise", "return", "try", "while", "with")
QUESTIONS = {
    "debian-policy": [
        "What is the purpose of a source package?",
        "Which files does a source package consist of?",
        "What must the changelog of a source package say?",
    ],
    "python-reference": [
        "What does the for statement do with its iterator?",
        "When is the else clause of a for statement run?",
        "What does break do inside a for statement?",
    ],
}
NAME = "debian-policy" if POLICY.is_dir() else "python-reference"


def documents():
    if POLICY.is_dir():
        return [{"name": path.name, "text": path.read_text("utf-8")} for path in sorted(POLICY.glob("ch-*.html"))]
    return [{"name": name, "text": topics[name]} for name in STATEMENTS]


@rx.function
def answer(s, question):
    s += rx.system("You answer in one sentence, from the passages that you are given.")
    s += rx.user(f"{rx.retrieve(NAME, question, k=3)}\n\nQuestion: {question}")
    s += rx.assistant(rx.gen("answer", max_tokens=30, temperature=0))


if __name__ == "__main__":
    url = os.environ.get("RADIXA_BASE_URL", "http://127.0.0.1:8000").removesuffix("/v1")
    with OpenAI(base_url=f"{url}/v1", api_key=os.environ.get("RADIXA_API_KEY", "none")) as client:
        client.post(f"/collections/{NAME}", body={"documents": documents()}, cast_to=object)
    for question in QUESTIONS[NAME]:
        state = answer.run(question=question)
        figures = state.get_meta_info("answer")
        print(f"{question}\n  {state['answer'].strip()}")
        print(f"  {figures['cached_tokens']} of {figures['prompt_tokens']} prompt tokens were computed before")
