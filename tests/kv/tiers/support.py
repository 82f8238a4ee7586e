"""A small model's storage, paths of tokens over it, and what the K and V of a path must be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from radixa.core.tokens import pack
from radixa.kv.base import SlotRun
from radixa.kv.runs import Runs
from radixa.kv.storage import KVStorage
from radixa.kv.tiers.base import BLOCK_BYTES, BLOCK_TOKENS, BlockJob, Fingerprint, Loaded, Result, Written
from radixa.kv.tiers.disk import DiskOptions, DiskTier
from radixa.kv.tiers.header import HEADER_BYTES

SECRET = bytes(range(32))
MODEL = Fingerprint("small", "float32", 2, 2, 8)
FILE_BYTES = HEADER_BYTES + MODEL.payload_bytes
CAPACITY = 2048
UNHURRIED = DiskOptions(write_bandwidth=1e12, retry=0.05)
"""No limit on the bandwidth, and disks that fail are tried again soon."""


def key(*blocks: int) -> bytes:
    """A path whose blocks are named by numbers: equal numbers, equal tokens."""
    return b"".join(pack(range(number * 1000, number * 1000 + BLOCK_TOKENS)) for number in blocks)


def content(name: bytes, model: Fingerprint = MODEL) -> torch.Tensor:
    """The K and V that a block of this name has: `Fingerprint.shape`, of the model's dtype."""
    generator = torch.Generator().manual_seed(int.from_bytes(name[:7], "little"))
    return torch.randn(model.shape, generator=generator).to(getattr(torch, model.dtype))


def slots(runs: Runs) -> list[int]:
    return [slot for start, length in runs for slot in range(start, start + length)]


@dataclass
class Bench:
    """A tier over a storage, used as the engine does: fill slots, write, load into others, look."""

    folder: Path
    model: Fingerprint = MODEL
    secret: bytes = SECRET
    options: DiskOptions = UNHURRIED
    clock: Callable[[], float] = time.time
    wakes: int = 0
    results: list[Result] = field(default_factory=list)

    def __post_init__(self) -> None:
        model = self.model
        dtype = getattr(torch, model.dtype)
        self.storage = KVStorage.allocate(model.layers, model.kv_heads, model.head_size, CAPACITY, dtype)
        self.storage.k.zero_()
        self.storage.v.zero_()
        self.tier = DiskTier(
            self.folder, self.secret, self.model, self.storage, self._wake, self.options, clock=self.clock
        )

    def _wake(self) -> None:
        self.wakes += 1

    def names(self, blocks: bytes, namespace: str = "a") -> tuple[bytes, ...]:
        return tuple(self.tier.names(namespace, blocks))

    def lookup(self, blocks: bytes, namespace: str = "a") -> int:
        return self.tier.lookup(self.names(blocks, namespace))

    def job(
        self,
        blocks: bytes,
        namespace: str = "a",
        *,
        start: int = 0,
        runs: Runs | None = None,
        session: str | None = None,
        expires: float | None = None,
    ) -> BlockJob:
        names = self.names(blocks, namespace)
        if runs is None:
            runs = (SlotRun(0, (len(names) - start) * BLOCK_TOKENS),) if start < len(names) else ()
        return BlockJob(namespace, names, start, blocks[start * BLOCK_BYTES :], runs, session, expires)

    def fill(self, job: BlockJob) -> None:
        """Compute the job's blocks into its slots."""
        where = slots(job.runs)
        for index, name in enumerate(job.names[job.start :]):
            part = where[index * BLOCK_TOKENS : (index + 1) * BLOCK_TOKENS]
            k, v = content(name, self.model)
            self.storage.k[:, :, part] = k
            self.storage.v[:, :, part] = v

    def write(self, blocks: bytes, namespace: str = "a", **given: object) -> Written:
        job = self.job(blocks, namespace, **given)  # type: ignore[arg-type]
        self.fill(job)
        assert self.tier.write(job)
        result = self.result(job)
        assert isinstance(result, Written)
        return result

    def load(self, blocks: bytes, namespace: str = "a", **given: object) -> int:
        """Load a path, as many blocks as there are, and see that the slots hold them and that no others changed."""
        job = self.job(blocks, namespace, **given)  # type: ignore[arg-type]
        self.storage.k.zero_()
        self.storage.v.zero_()
        self.tier.load(job)
        result = self.result(job)
        assert isinstance(result, Loaded)
        where = slots(job.runs)
        loaded = where[: result.blocks * BLOCK_TOKENS]
        for index in range(result.blocks):
            part = where[index * BLOCK_TOKENS : (index + 1) * BLOCK_TOKENS]
            k, v = content(job.names[job.start + index], self.model)
            assert torch.equal(self.storage.k[:, :, part], k)
            assert torch.equal(self.storage.v[:, :, part], v)
        untouched = torch.ones(CAPACITY, dtype=torch.bool)
        untouched[loaded] = False
        assert not self.storage.k[:, :, untouched].any()
        assert not self.storage.v[:, :, untouched].any()
        return result.blocks

    def result(self, job: BlockJob) -> Result:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            self.results += self.tier.finished()
            for result in self.results:
                if isinstance(result, Written | Loaded) and result.job is job:
                    self.results.remove(result)
                    return result
            time.sleep(0.001)
        raise AssertionError("no result came")

    def settle(self) -> None:
        assert self.tier.flush(20)

    def reopen(self) -> None:
        self.tier.close()
        self.__post_init__()
        self.settle()

    def files(self) -> list[Path]:
        """Of blocks, drafts left out."""
        return sorted(path for path in self.folder.glob("*/*/[!.]*") if path.is_file())

    def path(self, name: bytes) -> Path:
        return self.folder / self.model.digest.hex() / name.hex()[:2] / name.hex()

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < end, "what was waited for did not come"
            time.sleep(0.005)
