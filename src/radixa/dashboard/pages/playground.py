"""`/dashboard/playground`: a chat with any model on offer, and what each answer cost and saved.

The page's script sends the same body that a client would; what answers it is `/v1/chat/completions` itself.
"""

from __future__ import annotations

from radixa.dashboard.base import Page, Visit
from radixa.gateway.base import EventStream, Response
from radixa.gateway.routes import chat, models

PATH = "/dashboard/playground"
WORDS = ("you", "model", "stopped", "broke", "this_answer", "not_cached", "cached", "ttft", "cost", "saving", "of",
         "unknown_price", "measured", "by_price", "waiting", "none")  # fmt: skip
"""The texts that the script needs."""


async def show(visit: Visit) -> Response:
    offered = (await visit.ask(models.index))["data"]
    return visit.render(
        "playground.html",
        models=offered,
        chosen=visit.request.query().get("model", ""),
        words={name: visit.word(f"playground.{name}") for name in WORDS},
    )


async def answer(visit: Visit) -> Response | EventStream:
    return await chat.create(visit.gateway, visit.request)


PAGES = (Page(PATH, show, menu="menu.playground"), Page(PATH + "/chat", post=answer, api=True))
