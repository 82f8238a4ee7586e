"""The disk tier on a disk that misbehaves: nothing wrong is served, and what breaks costs the tier, not the service."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from radixa.kv.tiers.base import Deleted, DropReason, Target, Written
from radixa.kv.tiers.desk import Desk
from radixa.kv.tiers.disk import DiskOptions
from radixa.kv.tiers.header import HEADER_BYTES
from tests.kv.tiers.support import FILE_BYTES, MODEL, Bench, key

Open = Callable[..., Bench]
PATH = key(1, 2, 3)


def dropped(bench: Bench) -> dict[DropReason, int]:
    return bench.tier.stats().dropped


@pytest.mark.parametrize(
    "size", [0, 1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1, FILE_BYTES - 1, FILE_BYTES + 1]
)
@pytest.mark.parametrize("indexed", [True, False])
def test_a_file_of_the_wrong_length_is_dropped(bench: Bench, size: int, indexed: bool) -> None:
    bench.write(PATH)
    file = bench.path(bench.names(PATH)[1])
    os.truncate(file, size)
    if not indexed:
        (bench.folder / "index.db").unlink()
        bench.reopen()
    assert bench.load(PATH) == 1
    assert dropped(bench) == ({"truncated": 1})
    assert not file.exists()
    bench.settle()
    assert bench.lookup(PATH) == 1
    bench.write(PATH, start=1)
    assert bench.load(PATH) == 3


OFFSETS = [*range(0, HEADER_BYTES, 13), HEADER_BYTES - 1, HEADER_BYTES, FILE_BYTES // 2, FILE_BYTES - 1]


@pytest.mark.parametrize("indexed", [True, False])
def test_a_flipped_bit_is_noticed_wherever_it_is(bench: Bench, indexed: bool) -> None:
    total = 0
    for offset in OFFSETS:
        bench.write(PATH)
        file = bench.path(bench.names(PATH)[1])
        data = bytearray(file.read_bytes())
        data[offset] ^= 1 << offset % 8
        file.write_bytes(data)
        if not indexed:
            (bench.folder / "index.db").unlink()
            total = 0
            bench.reopen()
        assert bench.load(PATH) == 1, offset
        assert not file.exists()
        total += 1
        # The magic and the version are looked at before the seal.
        assert sum(dropped(bench).values()) == total
        assert set(dropped(bench)) <= ({"foreign", "corrupt"}), offset
    if indexed:
        assert dropped(bench) == {"foreign": 1, "corrupt": len(OFFSETS) - 1}


def swap(a: Path, b: Path) -> None:
    os.rename(a, a.with_suffix(".x"))
    os.rename(b, a)
    os.rename(a.with_suffix(".x"), b)


@pytest.mark.parametrize("other", [("a", PATH), ("b", PATH), ("a", key(9))])
def test_a_file_under_anothers_name_is_dropped(bench: Bench, other: tuple[str, bytes]) -> None:
    """Another block of the path, another namespace's, another path's."""
    bench.write(PATH)
    namespace, path = other
    bench.write(path, namespace)
    swap(bench.path(bench.names(PATH)[1]), bench.path(bench.names(path, namespace)[0]))
    first = bench.load(PATH)
    second = bench.load(path, namespace)
    assert (first, second) == ((0, 0) if other == ("a", PATH) else (1, 0))
    assert dropped(bench) == {"foreign": 2 - (other == ("a", PATH))}


@pytest.mark.parametrize("change", [{"model": "other"}, {"dtype": "bfloat16"}, {"layers": 4}, {"layout": 2}])
def test_another_models_file_is_dropped(open_tier: Open, change: dict[str, str | int]) -> None:
    bench = open_tier()
    other = open_tier(model=replace(MODEL, **change))  # type: ignore[arg-type]
    bench.write(PATH)
    other.write(PATH)
    shutil.copy(other.path(other.names(PATH)[0]), bench.path(bench.names(PATH)[0]))
    assert bench.load(PATH) == 0
    assert dropped(bench) == {"foreign": 1}


def test_another_secrets_files_are_dropped_at_the_start(open_tier: Open) -> None:
    bench = open_tier()
    bench.write(PATH)
    names = bench.names(PATH)
    bench.secret = bytes(32)
    bench.reopen()
    assert bench.lookup(PATH) == 0
    assert bench.tier.lookup(names) == 0
    assert not bench.files()
    assert dropped(bench) == {"corrupt": 3}
    assert bench.tier.stats().index_rebuilds == 1
    bench.write(PATH)
    assert bench.load(PATH) == 3


def test_another_secrets_file_is_not_served(open_tier: Open, tmp_path: Path) -> None:
    """Not even under a name that is right."""
    bench, other = open_tier(), open_tier(tmp_path / "other", secret=bytes(32))
    bench.write(PATH)
    other.write(PATH)
    shutil.copy(other.path(other.names(PATH)[0]), bench.path(bench.names(PATH)[0]))
    assert bench.load(PATH) == 0
    assert dropped(bench) == {"corrupt": 1}


def test_a_job_of_another_namespace_or_of_other_tokens_gets_nothing(bench: Bench) -> None:
    """Names are all that a lookup needs; whoever has one from elsewhere still does not get the block."""
    bench.write(PATH)
    right = bench.job(PATH)
    for wrong in (
        replace(right, namespace="b"),
        replace(right, tokens=key(1, 2, 4)[::-1]),
        replace(right, names=right.names[1:], tokens=key(2, 3), runs=bench.job(key(2, 3)).runs),
    ):
        bench.tier.load(wrong)
        result = bench.result(wrong)
        assert not isinstance(result, Deleted)
        assert result.blocks == 0
        assert not bench.storage.k[:, :, 500:].any()
        bench.write(PATH)


def test_a_block_deleted_under_ones_feet_is_a_miss(bench: Bench) -> None:
    bench.write(PATH)
    bench.path(bench.names(PATH)[1]).unlink()
    assert bench.lookup(PATH) == 3
    assert bench.load(PATH) == 1
    assert bench.lookup(PATH) == 1
    assert dropped(bench) == {"missing": 1}
    assert bench.tier.stats().bytes == 2 * FILE_BYTES


@pytest.mark.parametrize("kind", ["folder", "link", "fifo"])
def test_what_is_no_file_is_not_read(bench: Bench, kind: str, tmp_path: Path) -> None:
    bench.write(PATH)
    file = bench.path(bench.names(PATH)[1])
    if kind == "link":
        os.rename(file, tmp_path / "target")
        file.symlink_to(tmp_path / "target")
    else:
        file.unlink()
        file.mkdir() if kind == "folder" else os.mkfifo(file)
    assert bench.load(PATH) == 1
    assert dropped(bench) == {"unreadable": 1}
    assert bench.lookup(PATH) == 1
    assert file.exists() == (kind == "folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_a_file_without_permission_is_dropped(bench: Bench) -> None:
    bench.write(PATH)
    bench.path(bench.names(PATH)[1]).chmod(0)
    assert bench.load(PATH) == 1
    assert dropped(bench) == {"unreadable": 1}


def break_index(folder: Path, how: str) -> None:
    file = folder / "index.db"
    size = file.stat().st_size
    if how == "gone":
        for path in folder.glob("index.db*"):
            path.unlink()
    elif how == "noise":
        file.write_bytes(os.urandom(size))
    elif how == "holes":
        data = bytearray(file.read_bytes())
        data[4096:] = b"\xff" * (size - 4096)
        file.write_bytes(data)
    elif how == "short":
        os.truncate(file, size // 2)
    elif how == "empty":
        os.truncate(file, 0)
    elif how == "version":
        with sqlite3.connect(file) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
    else:
        file.unlink()
        with sqlite3.connect(file) as db:
            db.execute("CREATE TABLE block (x)")
            db.execute("PRAGMA user_version = 1")
        db.close()


@pytest.mark.parametrize("how", ["gone", "noise", "holes", "short", "empty", "version", "foreign"])
def test_a_broken_index_is_made_anew_from_the_files(bench: Bench, how: str) -> None:
    bench.write(PATH, session="s", expires=9e9)
    bench.write(key(1, 2, 4), "a/salt")
    bench.tier.close()
    for path in bench.folder.glob("index.db-*"):
        path.unlink()
    break_index(bench.folder, how)
    bench.reopen()
    assert bench.lookup(PATH) == 3
    assert bench.load(PATH) == 3
    stats = bench.tier.stats()
    assert stats.disabled is None
    assert stats.adopted_blocks == 6
    assert stats.bytes == 6 * FILE_BYTES
    assert stats.index_rebuilds == (how not in ("gone", "empty"))
    # Whose blocks they are is known as before.
    assert bench.tier.usage("a/salt")[0] == 3
    assert bench.tier.delete(Target(namespace="a", session="s")) in (0, 3)
    assert bench.tier.delete(Target(namespace="a/salt")) == 3


def test_an_index_that_breaks_at_work_is_made_anew(bench: Bench) -> None:
    bench.write(PATH)
    with sqlite3.connect(bench.folder / "index.db") as db:
        db.execute("DROP TABLE block")
    db.close()
    bench.write(key(7, 8))
    bench.settle()
    bench.write(key(7, 8))
    bench.settle()
    assert bench.tier.stats().index_rebuilds == 1
    assert bench.load(PATH) == 3
    assert bench.load(key(7, 8)) == 2
    assert bench.tier.stats().bytes == 5 * FILE_BYTES == len(bench.files()) * FILE_BYTES


def test_an_index_that_another_process_threw_away_is_followed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radixa.kv.tiers.worker._TICK_SECONDS", 0.1)
    bench.reopen()
    bench.write(PATH)
    break_index(bench.folder, "gone")
    bench.until(lambda: bench.tier.stats().adopted_blocks == 3)
    bench.settle()
    assert bench.load(PATH) == 3


def test_an_index_that_is_locked_delays_the_tier_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radixa.kv.tiers.index._BUSY_SECONDS", 0.05)
    bench.reopen()
    bench.write(PATH)
    with locked(bench.folder):
        job = bench.job(key(7, 8))
        assert bench.tier.write(job)
        assert bench.result(job) == Written(job, 0, 0, 0.0)
        assert "locked" in str(bench.tier.stats().disabled)
        assert not bench.tier.write(job)
        assert bench.load(PATH) == 3
        bench.tier.delete(Target())
        assert bench.lookup(PATH) == 0
    bench.until(lambda: bench.tier.stats().disabled is None)
    bench.settle()
    assert not bench.files()
    assert bench.tier.finished() == [Deleted(Target(), 3)]
    assert bench.write(key(7, 8)).blocks == 2


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    db = sqlite3.connect(folder / "index.db", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


def test_a_folder_that_is_a_file_disables_the_tier_until_it_is_one(open_tier: Open, tmp_path: Path) -> None:
    (tmp_path / "kv").write_text("in the way")
    bench = open_tier()
    assert bench.lookup(PATH) == 0
    assert bench.load(PATH) == 0
    bench.tier.delete(Target())
    assert "kv" in str(bench.tier.stats().disabled)
    assert not bench.tier.write(bench.job(PATH))
    (tmp_path / "kv").unlink()
    bench.until(lambda: bench.tier.stats().disabled is None)
    bench.settle()
    assert bench.tier.finished() == [Deleted(Target(), 0)]
    assert bench.write(PATH).blocks == 3
    assert bench.load(PATH) == 3


def test_a_folder_that_vanishes_is_made_again_and_what_was_in_it_is_a_miss(bench: Bench) -> None:
    bench.write(PATH)
    shutil.rmtree(bench.folder)
    job = bench.job(key(7, 8))
    bench.fill(job)
    assert bench.tier.write(job)
    result = bench.result(job)
    assert isinstance(result, Written)
    assert result.blocks == 0
    assert bench.load(PATH) == 0
    bench.until(lambda: bench.tier.stats().disabled is None and bench.folder.exists())
    bench.settle()
    assert bench.write(PATH).blocks == 3
    assert bench.load(PATH) == 3


def test_a_model_folder_that_vanishes_is_made_again(bench: Bench) -> None:
    bench.write(PATH)
    shutil.rmtree(bench.folder / MODEL.digest.hex())
    assert bench.write(key(7)).blocks == 1
    assert bench.load(PATH) == 0
    assert bench.write(PATH).blocks == 3
    assert bench.tier.stats().disabled is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_disables_the_tier(open_tier: Open, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        bench = open_tier()
        assert "Permission" in str(bench.tier.stats().disabled)
        assert not bench.tier.write(bench.job(PATH))
    finally:
        tmp_path.chmod(0o700)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only who may mount a file system can fill one")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_pauses_writing_and_nothing_else(small_disk: Path, open_tier: Open) -> None:
    bench = open_tier(small_disk / "kv")
    bench.write(PATH)
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(small_disk).free == 0
    job = bench.job(key(*range(20, 30)))
    bench.fill(job)
    assert bench.tier.write(job)
    result = bench.result(job)
    assert isinstance(result, Written)
    assert result.blocks < 10
    assert bench.tier.stats().disabled is not None
    assert bench.tier.stats().write_errors > 0
    assert bench.load(PATH) == 3
    assert not list(bench.folder.rglob(".draft*"))
    ballast.unlink()
    bench.until(lambda: bench.tier.stats().disabled is None)
    assert bench.write(key(*range(20, 30))).blocks == 10
    assert bench.load(key(*range(20, 30))) == 10
    bench.settle()
    assert bench.tier.stats().bytes == len(bench.files()) * FILE_BYTES


FULL = """
import resource, signal, sys
from pathlib import Path
from tests.kv.tiers.support import Bench, key
from radixa.kv.tiers.disk import DiskOptions
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
bench = Bench(Path(sys.argv[1]), options=DiskOptions(retry=0.05))
bench.settle()
bench.write(key(1, 2))
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
assert bench.write(key(3)).blocks == 0
assert "too large" in bench.tier.stats().disabled.lower(), bench.tier.stats()
assert bench.load(key(1, 2)) == 2
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
bench.until(lambda: bench.tier.stats().disabled is None)
assert bench.write(key(3)).blocks == 1
assert bench.load(key(3)) == 1
assert not list(bench.folder.rglob(".draft*"))
bench.tier.close()
"""


def test_a_write_that_the_system_cuts_off_leaves_nothing(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    subprocess.run([sys.executable, "-c", FULL, str(tmp_path / "kv")], check=True, timeout=60)


def test_a_mistake_of_ours_costs_the_tier_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench.write(PATH)
    report, calls = Desk.report, []

    def fails(self: Desk, result: object) -> None:
        calls.append(result)
        if len(calls) == 1:
            raise RuntimeError("a mistake")
        report(self, result)  # type: ignore[arg-type]

    monkeypatch.setattr(Desk, "report", fails)
    waits = bench.job(key(5))
    bench.tier.load(bench.job(PATH))
    bench.tier.write(waits)
    bench.until(lambda: bench.tier.stats().disabled is not None)
    assert "a mistake" in str(bench.tier.stats().disabled)
    assert bench.lookup(PATH) == 0
    assert bench.load(PATH) == 0
    assert not bench.tier.write(bench.job(PATH))
    assert "has failed" in caplog.text


def test_leftover_drafts_of_the_dead_go_and_those_at_work_stay(bench: Bench) -> None:
    bench.write(PATH)
    folder = bench.path(bench.names(PATH)[0]).parent
    old, young, other = folder / ".draft-1-0-aa", folder / ".draft-2-0-bb", folder / "notes"
    for path in (old, young, other):
        path.write_bytes(b"x")
        path.chmod(0o600)
    os.utime(old, (1, 1))
    bench.reopen()
    assert [path.exists() for path in (old, young, other)] == [False, True, True]


def test_a_file_without_a_row_is_adopted_and_a_row_without_a_file_goes(bench: Bench) -> None:
    bench.write(PATH)
    bench.write(key(7, 8))
    bench.tier.close()
    with sqlite3.connect(bench.folder / "index.db") as db:
        db.execute("DELETE FROM block WHERE name = ?", (bench.names(PATH)[2],))
    db.close()
    bench.path(bench.names(key(7, 8))[1]).unlink()
    bench.reopen()
    assert bench.lookup(PATH) == 3
    assert bench.lookup(key(7, 8)) == 1
    stats = bench.tier.stats()
    assert stats.adopted_blocks == 1
    assert stats.dropped == {"missing": 1}
    assert stats.bytes == 4 * FILE_BYTES


def test_a_deletion_while_files_have_no_rows_yet_takes_them_too(bench: Bench) -> None:
    for number in range(40):
        bench.write(key(*range(number * 10, number * 10 + 9)), "a")
    bench.tier.close()
    break_index(bench.folder, "gone")
    bench.__post_init__()
    bench.tier.delete(Target(namespace="a"))
    bench.settle()
    assert bench.tier.finished() == [Deleted(Target(namespace="a"), 360)]
    assert not bench.files()
    assert bench.tier.usage("a") == (0, 0)


def test_options_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Bench(tmp_path, options=DiskOptions(write_bandwidth=0))
