"""Sums in words with their solutions, in the manner of GSM8K: what few-shot and tree-of-thought benchmarks ask."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    question: str
    solution: str
    """The steps, and the result after four number signs, as GSM8K writes it."""


_NAMES = ("Amira", "Bruno", "Chiyo", "Dana", "Emeka", "Freya", "Goran", "Hana", "Ivo", "Jun", "Kofi", "Lena")
_THINGS = ("apples", "stamps", "books", "candles", "marbles", "tickets", "shells", "buttons", "pencils", "cards")
_PLACES = ("market", "fair", "school", "harbour", "library", "station")


def problems(chance: random.Random, count: int) -> list[Problem]:
    """`count` of them, each once."""
    found: dict[str, Problem] = {}
    while len(found) < count:
        problem = chance.choice((_boxes, _shared, _sold))(chance)
        found.setdefault(problem.question, problem)
    return list(found.values())


def _boxes(chance: random.Random) -> Problem:
    name, thing = chance.choice(_NAMES), chance.choice(_THINGS)
    boxes, each, more = chance.randrange(3, 10), chance.randrange(3, 10), chance.randrange(11, 60)
    return Problem(
        f"{name} has {boxes} boxes of {each} {thing} and finds {more} more. How many {thing} are there now?",
        f"The boxes hold {boxes} * {each} = {boxes * each} {thing}. With those found there are {boxes * each} + {more} "
        f"= {boxes * each + more}.\n#### {boxes * each + more}",
    )


def _shared(chance: random.Random) -> Problem:
    name, thing = chance.choice(_NAMES), chance.choice(_THINGS)
    friends, each, kept = chance.randrange(3, 9), chance.randrange(3, 12), chance.randrange(2, 30)
    all_of_them = friends * each + kept
    return Problem(
        f"{name} has {all_of_them} {thing}, keeps {kept} and shares the rest among {friends} friends. How many does "
        "each get?",
        f"To share there are {all_of_them} - {kept} = {friends * each} {thing}. Each friend gets {friends * each} / "
        f"{friends} = {each}.\n#### {each}",
    )


def _sold(chance: random.Random) -> Problem:
    name, thing, place = chance.choice(_NAMES), chance.choice(_THINGS), chance.choice(_PLACES)
    price, sold, rent = chance.randrange(2, 9), chance.randrange(11, 60), chance.randrange(3, 20)
    return Problem(
        f"At the {place} {name} sells {sold} {thing} for {price} euros each and pays {rent} euros of rent. How much is "
        "left?",
        f"The {thing} bring {sold} * {price} = {sold * price} euros. After the rent {sold * price} - {rent} = "
        f"{sold * price - rent} euros are left.\n#### {sold * price - rent}",
    )
