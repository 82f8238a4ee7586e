"""One block between its slots and its file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from radixa.kv.runs import Runs, split
from radixa.kv.tiers import chain
from radixa.kv.tiers.archive import Archive
from radixa.kv.tiers.base import BLOCK_BYTES, BLOCK_TOKENS, BlockJob, Fingerprint
from radixa.kv.tiers.header import HEADER_BYTES, BadBlock, Header
from radixa.kv.tiers.slots import BlockBuffer, Slots


class Transfer:
    """Moves blocks through one buffer, so one at a time. Errors are the archive's."""

    def __init__(self, archive: Archive, secret: bytes, fingerprint: Fingerprint, slots: Slots) -> None:
        self.buffer = BlockBuffer(fingerprint)
        self.block_bytes = HEADER_BYTES + fingerprint.payload_bytes
        """Of a block's file."""
        self._archive = archive
        self._secret = secret
        self._fingerprint = fingerprint
        self._slots = slots

    def load(self, job: BlockJob, at: int, tokens: bytes, runs: Runs) -> None:
        """Fill the slots with the job's block of index `at`. BadBlock, and the slots are as they were, where it is not
        sound or not the one that the job means."""
        name = job.names[at]
        header = self._archive.read(name, self.buffer.data)
        space = chain.space_tag(self._secret, job.namespace)
        if (header.parent, header.depth, header.space, header.tokens) != (self._parent(job, at), at, space, tokens):
            self._archive.drop(name, "foreign")
            raise BadBlock("foreign")
        self._slots.scatter(self.buffer, runs)

    def write(self, job: BlockJob, at: int, tokens: bytes, runs: Runs, clock: Callable[[], float]) -> Header:
        """Fill the buffer with the job's block of index `at`; the header that goes with it."""
        self._slots.gather(runs, self.buffer)
        return Header(
            name=job.names[at],
            fingerprint=self._fingerprint.digest,
            parent=self._parent(job, at),
            space=chain.space_tag(self._secret, job.namespace),
            account=chain.account_tag(self._secret, job.namespace),
            session=chain.session_tag(self._secret, job.session),
            depth=at,
            created=clock(),
            expires=job.expires or 0.0,
            payload_bytes=len(self.buffer.data),
            tokens=tokens,
        )

    def touch(self, job: BlockJob, end: int) -> None:
        """The job has used its blocks before index `end`."""
        session = chain.session_tag(self._secret, job.session)
        self._archive.touch(job.names[:end], job.expires or 0.0, session)

    def _parent(self, job: BlockJob, at: int) -> bytes:
        return job.names[at - 1] if at else chain.seed(self._secret, self._fingerprint, job.namespace)


def parts(job: BlockJob) -> Iterator[tuple[bytes, Runs]]:
    """Tokens and slots of each of the job's blocks, from `start` on."""
    rest = job.runs
    for at in range(0, len(job.tokens), BLOCK_BYTES):
        runs, rest = split(rest, BLOCK_TOKENS)
        yield job.tokens[at : at + BLOCK_BYTES], runs
