"""What a viewer shows beside the nodes: how large a token is, how many there is room for, what one that hits saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

PRICED = "deepseek-chat"
"""At whose prices savings are told; where it is not on offer, at those where most is saved."""


class Price(TypedDict):
    """What a token that hits saves, at a model's prices."""

    model: str
    usd_per_mtok: float


class Facts(TypedDict, total=False):
    """What is known of a server."""

    bytes_per_token: int
    capacity: int
    """Tokens that the pool holds."""
    price: Price


def facts(bytes_per_token: int | None, capacity: int | None, models: Sequence[Mapping[str, Any]]) -> Facts:
    """`models` as `GET /v1/models` lists them. What is None, or has no price, is left out."""
    found: Facts = {}
    if bytes_per_token is not None:
        found["bytes_per_token"] = bytes_per_token
    if capacity is not None:
        found["capacity"] = capacity
    prices = [price for model in models if (price := _price(model)) is not None]
    if prices:
        found["price"] = max(prices, key=lambda price: (price["model"] == PRICED, price["usd_per_mtok"]))
    return found


def _price(model: Mapping[str, Any]) -> Price | None:
    """None where it is not known, or nothing is saved."""
    prices = model.get("radixa", {}).get("prices_usd_per_mtok")
    if not prices or prices["input"] is None or prices["cached_input"] is None:
        return None
    saved = float(prices["input"]) - float(prices["cached_input"])
    return {"model": str(model["id"]), "usd_per_mtok": round(saved, 6)} if saved > 0 else None
