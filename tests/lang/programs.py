"""Programs that several tests run."""

from __future__ import annotations

from typing import Any

import radixa as sgl

SYSTEM = (
    "You answer questions about the rivers of Europe. You answer in one short sentence, you name the country first, "
    "and you never repeat the question. Where you do not know an answer you say so."
)


@sgl.function
def answer(s: Any, question: str, tokens: int = 6) -> str:
    s += sgl.system(SYSTEM)
    s += sgl.user(question)
    s += sgl.assistant("In short:" + sgl.gen("first", max_tokens=tokens, temperature=0))
    s += sgl.user("And more?")
    s += sgl.assistant(sgl.gen("second", max_tokens=tokens, temperature=0))
    return "returned"


@sgl.function
def plain(s: Any, start: str) -> None:
    s += start + sgl.gen("rest", max_tokens=5, temperature=0)
