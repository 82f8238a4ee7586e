"""The first 512 bytes of a block's file: whose it is, which tokens it holds, and what its payload must hash to.

Little-endian, fixed offsets. The last 32 bytes are a keyed blake2b over all before them, and among those is the
payload's SHA-256: whoever lacks the secret can forge neither. SHA-256 and not blake2b for the payload, because
processors have instructions for it: 1,560 against 620 MB/s where this was measured.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import NamedTuple

from radixa.kv.tiers.base import BLOCK_BYTES, DropReason
from radixa.kv.tiers.chain import NAME_BYTES

HEADER_BYTES = 512

_MAGIC = b"RADIXAKV"
_VERSION = 1
_SEAL_BYTES = 32
_NO_SESSION = bytes(NAME_BYTES)
_FORMAT = struct.Struct(f"<8sII{NAME_BYTES * 6}sddQ{BLOCK_BYTES}s32s56x")


class BadBlock(Exception):
    """A block's file that must not be served."""

    def __init__(self, reason: DropReason) -> None:
        super().__init__(reason)
        self.reason = reason


class Header(NamedTuple):
    """What a block says of itself. Names and tags have 16 bytes each, `session` none where there is none."""

    name: bytes
    fingerprint: bytes
    parent: bytes
    space: bytes
    account: bytes
    session: bytes
    depth: int
    """Blocks before it on its path."""
    created: float
    expires: float
    """Seconds since the epoch, both; 0 for no expiry."""
    payload_bytes: int
    tokens: bytes


def pack_header(secret: bytes, header: Header, digest: bytes) -> bytes:
    """`digest` is the payload's SHA-256."""
    tags = header.name + header.fingerprint + header.parent + header.space + header.account
    body = _FORMAT.pack(
        _MAGIC,
        _VERSION,
        header.depth,
        tags + (header.session or _NO_SESSION),
        header.created,
        header.expires,
        header.payload_bytes,
        header.tokens,
        digest,
    )
    return body + _seal(secret, body)


def unpack_header(secret: bytes, data: bytes) -> tuple[Header, bytes]:
    """The header and the payload's SHA-256. BadBlock where it is no header, or not one sealed with this secret."""
    if len(data) < HEADER_BYTES:
        raise BadBlock("truncated")
    body, seal = data[:-_SEAL_BYTES], data[-_SEAL_BYTES:]
    magic, version, depth, tags, created, expires, payload_bytes, tokens, digest = _FORMAT.unpack(body)
    if magic != _MAGIC or version != _VERSION:
        raise BadBlock("foreign")
    if not hmac.compare_digest(seal, _seal(secret, body)):
        raise BadBlock("corrupt")
    name, fingerprint, parent, space, account, session = (
        tags[at : at + NAME_BYTES] for at in range(0, len(tags), NAME_BYTES)
    )
    session = b"" if session == _NO_SESSION else session
    header = Header(name, fingerprint, parent, space, account, session, depth, created, expires, payload_bytes, tokens)
    return header, digest


def _seal(secret: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(body, key=secret, digest_size=_SEAL_BYTES, person=b"radixa-header").digest()
