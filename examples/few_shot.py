"""Sort support tickets by a few examples, many at once: the examples are computed once for all.

radixa serve --sandbox
RADIXA_API_KEY=rx-… python examples/few_shot.py
"""

from __future__ import annotations

import radixa as rx

EXAMPLES = {
    "I was charged twice for May.": "billing",
    "The app closes when I open a photo.": "technical",
    "Do you have an office in Lyon?": "other",
    "My invoice names the wrong company.": "billing",
}
TICKETS = ["Please refund my last order.", "The page stays white.", "Who founded your company?"]


@rx.function
def triage(s, ticket):
    s += rx.system("You sort support tickets into billing, technical and other. You answer with one word.")
    for text, team in EXAMPLES.items():
        s += rx.user(text)
        s += rx.assistant(team)
    s += rx.user(ticket)
    s += rx.assistant(rx.gen("team", choices=["billing", "technical", "other"]))


if __name__ == "__main__":
    states = triage.run_batch([{"ticket": ticket} for ticket in TICKETS], progress_bar=True)
    for ticket, state in zip(TICKETS, states, strict=True):
        print(f"{state['team']:<10} {ticket}")
