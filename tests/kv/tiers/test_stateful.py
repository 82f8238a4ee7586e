"""Any order of writes, loads, deletions, damage, restarts and lost indices, against a dict.

The model knows for each block what the index knows, and evicts by looking at all of them. What it says is there must
be found and load; nothing else may be.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from radixa.kv.tiers.base import Deleted, Target
from radixa.kv.tiers.disk import DiskOptions
from tests.kv.tiers.support import FILE_BYTES, Bench, key

PATHS = st.lists(st.integers(0, 1), min_size=1, max_size=5).map(tuple)
SPACES = st.sampled_from(["a", "a", "a/x", "b"])
SESSIONS = st.sampled_from([None, "s", "t"])
LIVES = st.sampled_from([0.0, 0.0, 3.0, 20.0])


@dataclass
class Block:
    parent: bytes
    depth: int
    space: str
    session: str | None
    used: float
    expires: float
    first: tuple[str | None, float]
    """Session and expiry that the file's header keeps, whatever came later."""
    damage: str = ""


class DiskTierAgainstADict(RuleBasedStateMachine):
    @initialize(blocks=st.integers(3, 12))
    def make(self, blocks: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.now = 4e9  # later than any file's time
        self.budget = blocks
        options = DiskOptions(budget=blocks * FILE_BYTES, write_bandwidth=1e12)
        self.bench = Bench(self.folder / "kv", options=options, clock=lambda: self.now)
        self.bench.settle()
        self.blocks: dict[bytes, Block] = {}

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.bench.tier.close()
            shutil.rmtree(self.folder)

    def touch(self, names: tuple[bytes, ...], session: str | None, expires: float) -> None:
        for name in names:
            block = self.blocks.get(name)
            if block is not None:
                block.used = max(block.used, self.now)
                block.expires = max(block.expires, expires)
                block.session = block.session if block.session == session else None

    def room(self, spare: bytes) -> bool:
        while len(self.blocks) >= self.budget:
            retained = {name for name, block in self.blocks.items() if block.expires > self.now}
            over = len(retained) * FILE_BYTES > self.budget * FILE_BYTES // 2
            parents = {block.parent for block in self.blocks.values()}
            leaves = [
                (name not in retained if over else name in retained, block.used, -block.depth, name)
                for name, block in self.blocks.items()
                if name not in parents and name != spare
            ]
            if not leaves:
                return False
            del self.blocks[min(leaves)[-1]]
        return True

    def evict_damaged(self) -> None:
        """The tier reads a block now and then to measure the disk, and so may find damage before a load does."""
        for name in [name for name, block in self.blocks.items() if block.damage]:
            if not self.bench.tier.lookup([name]):
                del self.blocks[name]

    @rule(path=PATHS, space=SPACES, session=SESSIONS, life=LIVES)
    def write(self, path: tuple[int, ...], space: str, session: str | None, life: float) -> None:
        self.now += 1
        tokens, expires = key(*path), self.now + life if life else 0.0
        names = self.bench.names(tokens, space)
        start = self.bench.lookup(tokens, space)
        job = self.bench.job(tokens, space, start=start, session=session, expires=expires or None)
        if len(path) - start > self.budget:
            assert not self.bench.tier.write(job)
            return
        self.bench.fill(job)
        assert self.bench.tier.write(job)
        self.bench.settle()
        self.bench.result(job)
        at = start
        while at < len(names):
            if names[at] not in self.blocks:
                parent = names[at - 1] if at else self.bench.tier.seed(space)
                if (at and parent not in self.blocks) or not self.room(parent):
                    break
                self.blocks[names[at]] = Block(parent, at, space, session, self.now, expires, (session, expires))
            at += 1
        self.touch(names[:at], session, expires)

    @rule(path=PATHS, space=SPACES, session=SESSIONS)
    def load(self, path: tuple[int, ...], space: str, session: str | None) -> None:
        self.now += 1
        tokens = key(*path)
        names = self.bench.names(tokens, space)
        loaded = self.bench.load(tokens, space, session=session)
        self.bench.settle()
        at = 0
        while at < len(names) and names[at] in self.blocks and not self.blocks[names[at]].damage:
            at += 1
        assert loaded == at
        if at < len(names):
            self.blocks.pop(names[at], None)
        self.touch(names[:at], session, 0.0)

    @rule(
        space=st.sampled_from([None, None, "a", "a/x", "b"]),
        session=st.sampled_from([None, None, "s", "t"]),
        prefix=st.none() | PATHS,
    )
    def delete(self, space: str | None, session: str | None, prefix: tuple[int, ...] | None) -> None:
        if prefix is not None:
            target = Target(prefix=self.bench.names(key(*prefix), space or "a")[-1])
        elif space is None and session is None:
            return
        else:
            target = Target(namespace=space, session=session)
        gone = {
            name
            for name, block in self.blocks.items()
            if (
                target.prefix in (name, block.parent)
                if target.prefix is not None
                else (space is None or block.space == space or block.space.startswith(f"{space}/"))
                and (session is None or block.session == session)
            )
        }
        while more := {name for name, block in self.blocks.items() if block.parent in gone} - gone:
            gone |= more
        assert self.bench.tier.delete(target) == len(gone)
        for name in gone:
            del self.blocks[name]
        self.compare()  # before the files are gone
        self.bench.settle()
        self.bench.results += self.bench.tier.finished()
        assert self.bench.results == [Deleted(target, len(gone))]
        self.bench.results.clear()

    @precondition(lambda self: self.blocks)
    @rule(which=st.integers(0, 100), damage=st.sampled_from(["flipped", "cut", "gone"]))
    def hurt(self, which: int, damage: str) -> None:
        name = sorted(self.blocks)[which % len(self.blocks)]
        if self.blocks[name].damage:
            return
        self.blocks[name].damage = damage
        file = self.bench.path(name)
        if damage == "gone":
            file.unlink()
        elif damage == "cut":
            os.truncate(file, FILE_BYTES - 1)
        else:
            data = bytearray(file.read_bytes())
            data[-1] ^= 1
            file.write_bytes(data)

    @rule(lost=st.booleans())
    def restart(self, lost: bool) -> None:
        self.bench.tier.close()
        if lost:
            for path in self.bench.folder.glob("index.db*"):
                path.unlink()
        for name, block in list(self.blocks.items()):
            if block.damage == "gone" or (lost and block.damage == "cut"):
                del self.blocks[name]
            elif lost:
                block.session, block.expires = block.first
                block.used = self.bench.path(name).stat().st_mtime
        self.bench.reopen()

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def agree(self) -> None:
        if hasattr(self, "bench"):
            self.evict_damaged()
            self.compare()
            stats = self.bench.tier.stats()
            assert stats.disabled is None
            assert stats.bytes == len(self.blocks) * FILE_BYTES
            assert len(self.blocks) <= self.budget
            files = {bytes.fromhex(path.name) for path in self.bench.files()}
            assert files == {name for name, block in self.blocks.items() if block.damage != "gone"}

    def compare(self) -> None:
        assert set(self.bench.tier._archive.view.entries) == set(self.blocks)
        for space in ("a", "a/x", "b"):
            count = sum(block.space == space or block.space.startswith(f"{space}/") for block in self.blocks.values())
            assert self.bench.tier.usage(space) == (count, count * FILE_BYTES)


TestDiskTierAgainstADict = DiskTierAgainstADict.TestCase
TestDiskTierAgainstADict.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
