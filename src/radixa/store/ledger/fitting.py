"""A row made such that every database takes it: one that is refused would hold up all that come after it."""

from __future__ import annotations

import msgspec

from radixa.store.ledger.base import COUNTS, LedgerRow
from radixa.store.ledger.schema import ledger

MOST_TOKENS = 10**12
MOST_NANO_USD = 10**17
"""A hundred million dollars. What an upstream says it used may be anything; sums of these stay within 64 bits."""
_TEXTS = tuple(
    (name, length)
    for name in LedgerRow.__struct_fields__
    if isinstance(length := getattr(ledger.c[name].type, "length", None), int)
)


def fitting(row: LedgerRow) -> LedgerRow:
    """`row` itself, or one with its texts cut to what fits, without zero bytes and halves of characters, and with
    counts and amounts that can be."""
    changed: dict[str, str | int] = {}
    for name, length in _TEXTS:
        text: str = getattr(row, name)
        if len(text) > length or "\0" in text or not text.isascii():
            changed[name] = text.encode("utf-8", "replace").decode().replace("\0", "?")[:length]
    for name in COUNTS:
        if not 0 <= (count := getattr(row, name)) <= MOST_TOKENS:
            changed[name] = min(max(count, 0), MOST_TOKENS)
    for name in ("cost_nano_usd", "saved_nano_usd"):
        if (amount := getattr(row, name)) is not None and abs(amount) > MOST_NANO_USD:
            changed[name] = min(max(amount, -MOST_NANO_USD), MOST_NANO_USD)
    return msgspec.structs.replace(row, **changed) if changed else row
