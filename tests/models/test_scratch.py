"""Folders of things half made: gone afterwards, also those of processes that were killed, and never one in use."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from radixa.models.scratch import scratch

HOLD = """
import sys, time
from pathlib import Path
from radixa.models.scratch import scratch
with scratch(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half of it")
    print(folder, flush=True)
    time.sleep(60)
"""


def hold(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """Another process that has a folder in `parent`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(parent)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_it_is_gone_afterwards_whatever_happens(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        (folder / "file").write_text("x")
        assert folder.parent == tmp_path
    with pytest.raises(KeyError), scratch(tmp_path):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    process, left = hold(tmp_path)
    end(process)
    assert (left / "half").is_file()
    (tmp_path / "another-file").touch()
    with scratch(tmp_path) as folder:
        assert sorted(tmp_path.iterdir()) == sorted([folder, tmp_path / "another-file"])


def test_what_another_process_works_in_is_left_alone(tmp_path: Path) -> None:
    process, other = hold(tmp_path)
    try:
        with scratch(tmp_path) as folder:
            assert folder != other
            assert (other / "half").is_file()
    finally:
        end(process)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    parent = tmp_path / "parent"
    parent.mkdir()
    (parent / ".new-link").symlink_to(tmp_path / "kept")
    with scratch(parent):
        pass
    assert (tmp_path / "kept" / "file").is_file()


def test_many_at_once_keep_theirs(tmp_path: Path) -> None:
    """Each looks for what others left just while they make theirs."""
    together = threading.Barrier(8)

    def work(number: int) -> bool:
        together.wait(30)
        whole = True
        for _ in range(50):
            with scratch(tmp_path) as folder:
                (folder / "file").write_text(str(number))
                whole = whole and (folder / "file").read_text() == str(number)
        return whole

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(8)))
    assert list(tmp_path.iterdir()) == []
