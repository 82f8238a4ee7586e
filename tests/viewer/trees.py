"""Trees as `GET /v1/cache/tree` gives them, of any size and the same each time."""

from __future__ import annotations

import random
from typing import Any

_TEXT = (
    "You are a careful support agent answer briefly and cite the order that the customer placed lamps chairs tables "
    "arrived late returns within thirty days context passage question shipping delay document summary"
)
WORDS = _TEXT.split()
ROLES = ("system", "user", "assistant", "tool")


def tree(size: int, *, words: int = 60) -> list[dict[str, Any]]:
    """`size` nodes, those above one before it; about `words` words each."""
    chance = random.Random(0)
    nodes: list[dict[str, Any]] = []
    for number in range(1, size + 1):
        near = nodes[-200:] if chance.random() < 0.3 else nodes[: max(1, len(nodes) // 3)]
        above = None if number <= 4 or chance.random() < 0.02 else chance.choice(near)
        tokens = 1 + min(2_000, int(chance.lognormvariate(4, 1)))
        namespace = chance.choice(("acct_a", "acct_a/5fe2", "acct_b")) if above is None else above["namespace"]
        own, age = namespace != "acct_b", chance.expovariate(1 / 900)
        text = " ".join(chance.choice(WORDS) for _ in range(1 + int(chance.random() * 2 * words)))
        nodes.append(
            {
                "id": number,
                "parent": 0 if above is None else above["id"],
                "namespace": namespace,
                "depth": 0 if above is None else above["depth"] + above["tokens"],
                "tokens": tokens,
                "text": f"{number} {text}" if own else None,
                "hits": int(chance.paretovariate(0.8)) - 1,
                "last_use": round(age * chance.random(), 3),
                "age": round(age, 3),
                "locked": False,
                "role": chance.choice(ROLES),
                "session_id": f"ticket-{number % 37}" if own else None,
                "priority": False,
                "pin": chance.random() < 0.03,
                "expiry": chance.choice((None,) * 9 + (30.0, 500.0)),
                "tier": "device",
            }
        )
    return nodes
