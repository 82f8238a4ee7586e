"""A payload that remembers which insert each token came from."""

from __future__ import annotations

from radixa.radix import PayloadType
from tests.radix.naive import Tokens

STAMPS: PayloadType[Tokens] = PayloadType(
    split=lambda stamps, tokens: (stamps[:tokens], stamps[tokens:]),
    join=lambda first, second: first + second,
)
