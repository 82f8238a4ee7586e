"""Names of blocks, tags, and the secret behind them."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixa.core.errors import ConfigError
from radixa.kv.base import SlotRun
from radixa.kv.tiers import chain
from radixa.kv.tiers.base import BlockJob, Target
from radixa.kv.tiers.files import BlockFiles
from radixa.kv.tiers.secret import installation_secret
from tests.kv.tiers.support import MODEL, SECRET, key


def names(blocks: bytes, namespace: str = "a", secret: bytes = SECRET) -> list[bytes]:
    return chain.names(secret, chain.seed(secret, MODEL, namespace), blocks)


@given(st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 3), max_size=6), st.integers(0, 300))
def test_two_paths_share_names_exactly_as_far_as_they_share_blocks(a: list[int], b: list[int], extra: int) -> None:
    first, second = names(key(*a) + bytes(min(extra, 255))), names(key(*b))
    assert len(first) == len(a)
    shared = next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    assert first[:shared] == second[:shared]
    assert not set(first[shared:]) & set(second)
    assert len(set(first)) == len(first)


@given(st.integers(0, 7))
def test_names_go_on_from_those_that_are_known(known: int) -> None:
    whole = names(key(*range(6)))
    seed = chain.seed(SECRET, MODEL, "a")
    assert chain.names(SECRET, seed, key(*range(6)), whole[:known]) == whole
    assert chain.names(SECRET, seed, key(0, 1), whole) == whole[:2]


def test_nothing_is_shared_across_namespaces_models_and_secrets() -> None:
    models = [
        MODEL,
        replace(MODEL, model="other"),
        replace(MODEL, dtype="bfloat16"),
        replace(MODEL, layers=4),
        replace(MODEL, kv_heads=1),
        replace(MODEL, head_size=16),
        replace(MODEL, layout=2),
    ]
    seen = [
        chain.names(secret, chain.seed(secret, model, namespace), key(1))[0]
        for secret in (SECRET, bytes(32))
        for model in models
        for namespace in ("", "a", "a/b", "b", "ab")
    ]
    assert len(set(seen)) == len(seen) == 70


def test_tags_tell_namespaces_accounts_and_sessions_apart_and_reveal_none() -> None:
    tags = [
        chain.space_tag(SECRET, "a"),
        chain.account_tag(SECRET, "a"),
        chain.session_tag(SECRET, "a"),
        chain.seed(SECRET, MODEL, "a"),
        chain.space_tag(SECRET, "a/b"),
        chain.space_tag(bytes(32), "a"),
        chain.secret_tag(SECRET),
    ]
    assert len(set(tags)) == len(tags)
    assert all(len(tag) == chain.NAME_BYTES for tag in tags)
    assert chain.account_tag(SECRET, "a/b") == chain.account_tag(SECRET, "a/c") == chain.account_tag(SECRET, "a")
    assert chain.session_tag(SECRET, None) == b""


def test_a_job_has_the_tokens_and_slots_of_its_blocks() -> None:
    path = tuple(names(key(1, 2)))
    BlockJob("a", path, 1, key(2), (SlotRun(0, 60), SlotRun(70, 4)))
    BlockJob("a", path, 2, b"", ())
    for start, tokens, runs in (
        (0, key(2), (SlotRun(0, 64),)),
        (1, key(2), (SlotRun(0, 63),)),
        (3, b"", ()),
        (-1, key(1, 2), (SlotRun(0, 128),)),
    ):
        with pytest.raises(ValueError, match="a job"):
            BlockJob("a", path, start, tokens, runs)


def test_a_prefix_is_a_target_of_its_own() -> None:
    with pytest.raises(ValueError, match="stands alone"):
        Target(namespace="a", prefix=b"x")


def test_whatever_the_tier_makes_first_the_data_folder_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk tier may be the first that needs the data folder, which holds more than its own."""
    for make in (installation_secret, lambda folder: BlockFiles(folder, bytes(32))):
        home = tmp_path / str(id(make))
        monkeypatch.setenv("RADIXA_HOME", str(home))
        make(home / "cache" / "kv")
        assert home.stat().st_mode & 0o777 == 0o700
        assert (home / "cache" / "kv").stat().st_mode & 0o777 == 0o700


def test_the_secret_is_made_once_and_for_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = installation_secret(folder)
    assert len(first) == 32
    assert first != bytes(32)
    assert folder.stat().st_mode & 0o777 == 0o700
    [file] = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    assert installation_secret(folder) == first
    assert file.stat().st_mode & 0o777 == 0o600
    assert installation_secret(tmp_path / "other") != first


def test_whoever_makes_the_secret_at_the_same_time_gets_the_same(tmp_path: Path) -> None:
    found: list[bytes] = []
    barrier = threading.Barrier(8)

    def make() -> None:
        barrier.wait()
        found.append(installation_secret(tmp_path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_broken_secret_is_an_error_that_says_what_to_do(tmp_path: Path, size: int) -> None:
    (tmp_path / "secret").write_bytes(bytes(size))
    with pytest.raises(ConfigError, match=f"has {size} bytes, expected 32.*delete it"):
        installation_secret(tmp_path)


def test_a_secret_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="neither read nor made"):
        installation_secret(tmp_path / "file")
    (tmp_path / "secret").mkdir()
    with pytest.raises(ConfigError, match="neither read nor made"):
        installation_secret(tmp_path)
