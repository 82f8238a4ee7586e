"""The blocks' files: `FOLDER/<fingerprint>/<first byte of the name>/<name>`, a header and then raw K and V.

Raw segments and not safetensors: the header has to be sealed anyway, a block is two tensors of a known shape, and one
`readv` into a buffer that is used again and again costs less than a mapping a file.

A file is written under another name and moved into place, so that under its own it is whole. Nothing is synced: what
has been moved survives the process, and what a dying machine tears is found by its checksum.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from radixa.core.paths import make_folder
from radixa.kv.tiers.chain import NAME_BYTES
from radixa.kv.tiers.header import HEADER_BYTES, BadBlock, Header, pack_header, unpack_header

_DRAFT = ".draft-"
_DRAFT_SECONDS = 60.0
"""A draft this old is of a process that died: writing a block takes milliseconds."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class BlockFiles:
    """The files in one folder, of every model. OSError where the folder cannot be used."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        self.folder = folder
        self._secret = secret
        self._drafts = itertools.count()

    def path(self, fingerprint: bytes, name: bytes) -> str:
        text = name.hex()
        return f"{self.folder}/{fingerprint.hex()}/{text[:2]}/{text}"

    def write(self, header: Header, payload: memoryview) -> int:
        """Make the block's file, in place of one that is there; its size. OSError, and no file is left, on failure."""
        path = self.path(header.fingerprint, header.name)
        folder = os.path.dirname(path)
        draft = f"{folder}/{_DRAFT}{os.getpid()}-{next(self._drafts)}-{os.urandom(4).hex()}"
        sealed = pack_header(self._secret, header, hashlib.sha256(payload).digest())
        try:
            descriptor = os.open(draft, _WRITE, 0o600)
        except FileNotFoundError:
            # The tier's own folder is made once, when it is opened: one that vanishes later is the user's doing.
            for made in (os.path.dirname(folder), folder):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(made, 0o700)
            descriptor = os.open(draft, _WRITE, 0o600)
        try:
            try:
                _write_all(descriptor, sealed, payload)
            finally:
                os.close(descriptor)
            os.replace(draft, path)
        except OSError:
            _unlink(draft)
            raise
        return len(sealed) + len(payload)

    def read(self, fingerprint: bytes, name: bytes, payload: memoryview) -> Header:
        """The block's header; its K and V are in `payload` then. BadBlock where the file is not a sound block of this
        name and size, and then `payload` holds anything."""
        descriptor = _open(self.path(fingerprint, name))
        try:
            header, digest = self._header(descriptor, fingerprint, name)
            if header.payload_bytes != len(payload):
                raise BadBlock("foreign")
            got = os.readv(descriptor, [payload])
            while 0 < got < len(payload):
                more = os.readv(descriptor, [payload[got:]])
                if not more:
                    break
                got += more
        except OSError as error:
            raise BadBlock("unreadable") from error
        finally:
            os.close(descriptor)
        if got < len(payload):
            raise BadBlock("truncated")
        if hashlib.sha256(payload).digest() != digest:
            raise BadBlock("corrupt")
        return header

    def inspect(self, fingerprint: bytes, name: bytes) -> tuple[Header, int, float]:
        """The block's header, its file's size and when it was written, in seconds since the epoch; BadBlock where they
        are not sound. The payload is only weighed."""
        descriptor = _open(self.path(fingerprint, name))
        try:
            header, _ = self._header(descriptor, fingerprint, name)
            found = os.fstat(descriptor)
        except OSError as error:
            raise BadBlock("unreadable") from error
        finally:
            os.close(descriptor)
        return header, found.st_size, found.st_mtime

    def remove(self, fingerprint: bytes, name: bytes) -> None:
        """Remove the block's file, if there is one that can be removed. OSError where the folder does not let us."""
        _unlink(self.path(fingerprint, name))

    def scan(self) -> Iterator[tuple[bytes, bytes]]:
        """Fingerprint and name of every file that is named like a block; drafts of processes that died are removed."""
        for model in _entries(self.folder):
            fingerprint = _unhex(model.name)
            if fingerprint is None:
                continue
            for shelf in _entries(model.path):
                for file in _entries(shelf.path):
                    if file.name.startswith(_DRAFT):
                        _remove_stale(file)
                    elif (name := _unhex(file.name)) is not None and file.name[:2] == shelf.name:
                        yield fingerprint, name

    def _header(self, descriptor: int, fingerprint: bytes, name: bytes) -> tuple[Header, bytes]:
        header, digest = unpack_header(self._secret, os.read(descriptor, HEADER_BYTES))
        if header.fingerprint != fingerprint or header.name != name:
            raise BadBlock("foreign")
        if os.fstat(descriptor).st_size != HEADER_BYTES + header.payload_bytes:
            raise BadBlock("truncated")
        return header, digest


def _open(path: str) -> int:
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError as error:
        raise BadBlock("missing") from error
    except OSError as error:
        raise BadBlock("unreadable") from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise BadBlock("unreadable")


def _write_all(descriptor: int, sealed: bytes, payload: memoryview) -> None:
    pieces: list[bytes | memoryview] = [sealed, payload]
    while pieces:
        written = os.writev(descriptor, pieces)
        while pieces and written >= len(pieces[0]):
            written -= len(pieces.pop(0))
        if pieces and written:
            pieces[0] = memoryview(pieces[0])[written:]


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        # A folder that lies in a block's place is not ours to remove, and nothing that is not there has to be.
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
            raise


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove_stale(draft: os.DirEntry[str]) -> None:
    try:
        age = time.time() - draft.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return
    if age > _DRAFT_SECONDS:
        _unlink(draft.path)


def _unhex(text: str) -> bytes | None:
    """Bytes of a fingerprint or a name, None where the text is neither."""
    if len(text) != 2 * NAME_BYTES:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None
