"""How blocks, namespaces and sessions are named on disk.

Every name is a keyed blake2b with the installation's secret, so a name cannot be computed, and a file's owner not be
guessed, by anyone who only sees the folder. A block's name hangs on its parent's, and the first one's on the seed of
its namespace and model: two namespaces, models, dtypes or layouts never share a name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from radixa.kv.tiers.base import BLOCK_BYTES, Fingerprint

NAME_BYTES = 16

_PERSONS = {kind: f"radixa-{kind}".encode() for kind in ("seed", "block", "space", "account", "session", "secret")}


def seed(secret: bytes, fingerprint: Fingerprint, namespace: str) -> bytes:
    """The parent of the first block of every path in a namespace."""
    return _hash(secret, "seed", fingerprint.digest + namespace.encode())


def names(secret: bytes, start: bytes, key: bytes, known: Sequence[bytes] = ()) -> list[bytes]:
    """Names of the whole blocks of `key`, root first; `start` is the seed, `known` the first names where known."""
    found = list(known[: len(key) // BLOCK_BYTES])
    name = found[-1] if found else start
    keyed = hashlib.blake2b(key=secret, digest_size=NAME_BYTES, person=_PERSONS["block"])
    for at in range(len(found) * BLOCK_BYTES, len(key) - BLOCK_BYTES + 1, BLOCK_BYTES):
        block = keyed.copy()
        block.update(name + key[at : at + BLOCK_BYTES])
        name = block.digest()
        found.append(name)
    return found


def space_tag(secret: bytes, namespace: str) -> bytes:
    """Stands for a namespace, without those beneath it."""
    return _hash(secret, "space", namespace.encode())


def account_tag(secret: bytes, namespace: str) -> bytes:
    """Stands for a namespace's account: the part before the `/`."""
    return _hash(secret, "account", namespace.partition("/")[0].encode())


def session_tag(secret: bytes, session: str | None) -> bytes:
    """Stands for a session; no bytes for none."""
    return b"" if session is None else _hash(secret, "session", session.encode())


def secret_tag(secret: bytes) -> bytes:
    """Tells one secret from another without giving it away."""
    return _hash(secret, "secret", b"")


def _hash(secret: bytes, kind: Literal["seed", "space", "account", "session", "secret"], data: bytes) -> bytes:
    return hashlib.blake2b(data, key=secret, digest_size=NAME_BYTES, person=_PERSONS[kind]).digest()
