"""How blocks and namespaces are named in events.

A block's hash is 64 bits of blake2b, personalised `radixa-kv-events`, over: the hash of the block before it (8 bytes,
the highest first; nothing for a path's first block), its 16 token ids (little-endian int32), and its namespace's tag
(ASCII; nothing for the namespace without a name). So a subscriber can compute it from the event, and every replica
names a block alike. A tag is 128 bits of blake2b over the namespace's name, personalised `radixa-namespace`, keyed
where a key is set.
"""

from __future__ import annotations

from hashlib import blake2b

from radixa.engine.events.base import BLOCK_BYTES

HASH_BYTES = 8
TAG_BYTES = 16


def block_hashes(parent: int | None, tokens: bytes, tag: str | None) -> list[int]:
    """The hashes of the whole blocks of `tokens`, which follow the block `parent`; unsigned integers of 64 bits."""
    before = b"" if parent is None else parent.to_bytes(HASH_BYTES, "big")
    after = b"" if tag is None else tag.encode("ascii")
    hashes = []
    for at in range(0, len(tokens) - BLOCK_BYTES + 1, BLOCK_BYTES):
        data = before + tokens[at : at + BLOCK_BYTES] + after
        before = blake2b(data, digest_size=HASH_BYTES, person=b"radixa-kv-events").digest()
        hashes.append(int.from_bytes(before, "big"))
    return hashes


def namespace_tag(namespace: str, key: bytes) -> str | None:
    """What stands for a namespace in events: 32 hexadecimal digits, or None for the one without a name."""
    if not namespace:
        return None
    return blake2b(namespace.encode(), digest_size=TAG_BYTES, key=key, person=b"radixa-namespace").hexdigest()
