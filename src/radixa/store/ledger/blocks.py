"""Names for the blocks of a prompt, by which a ledger can be replayed and no text be told.

A name is a keyed blake2b with the installation's secret. It hangs on the names before it and the first one's on the
namespace, so that a name stands for the whole prefix up to its block, and two namespaces have none in common.
"""

from __future__ import annotations

import hashlib

from radixa.core.tokens import TOKEN_BYTES

BLOCK_TOKENS = 64
NAME_BYTES = 8
_BLOCK_BYTES = BLOCK_TOKENS * TOKEN_BYTES
_LINK_BYTES = 16
"""What a block's name hangs on is longer than the names that are kept, so that chains do not run together."""
_PERSON = b"radixa-ledger"


def block_names(secret: bytes, namespace: str, token_ids: bytes) -> bytes:
    """The names of the whole blocks of `token_ids` (int32), one after another; `secret` is the installation's."""
    keyed = hashlib.blake2b(key=secret, digest_size=_LINK_BYTES, person=_PERSON)
    start = keyed.copy()
    start.update(namespace.encode())
    link = start.digest()
    found = []
    for at in range(0, len(token_ids) - _BLOCK_BYTES + 1, _BLOCK_BYTES):
        block = keyed.copy()
        block.update(link + token_ids[at : at + _BLOCK_BYTES])
        link = block.digest()
        found.append(link[:NAME_BYTES])
    return b"".join(found)


def split_names(names: bytes) -> list[int]:
    """Each name as a number."""
    return [int.from_bytes(names[at : at + NAME_BYTES], "big") for at in range(0, len(names), NAME_BYTES)]
