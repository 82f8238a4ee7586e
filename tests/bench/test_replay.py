"""Replay, against a naive replay, a flat LRU, and the figures of a public trace."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.bench.belady import belady, routes
from radixa.bench.replay import replay
from radixa.core.errors import ConfigError, InvalidRequest, TraceError
from radixa.core.tokens import pack
from tests.radix.naive import Naive

MOONCAKE = Path(__file__).parents[3] / "shared" / "traces" / "mooncake_synthetic_trace.jsonl"

Row = dict[str, Any]


def written(folder: Path, rows: list[Row]) -> Path:
    path = folder / "trace.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


# ---- token traces


def naive_hits(rows: list[Row], capacity: int, page_size: int) -> list[int]:
    """The rules of CONTRACT 6 over the naive model: match, lock, evict what is missing, insert, unlock."""
    tree = Naive(page_size)
    hits = []
    for row in rows:
        prompt, namespace = tuple(row["prompt"]), row.get("namespace", "")
        whole = prompt + tuple(row["output"])
        hits.append(tree.match(prompt, namespace))
        matched = prompt[: hits[-1]]
        tree.lock(matched, namespace, by=1)
        free = capacity - sum(piece.tokens for piece in tree.pieces)
        missing = tree.pages(len(whole)) - len(matched)
        if missing > free:
            free += sum(piece.tokens for piece in tree.evict(missing - free))
        whole = whole[: len(matched) + min(missing, free)]
        tree.insert(whole, (0,) * len(whole), namespace)
        tree.lock(matched, namespace, by=-1)
    return hits


@st.composite
def conversations(draw: st.DrawFn) -> list[Row]:
    """Requests that go on from earlier ones, at any place."""
    rows: list[Row] = []
    tokens = st.lists(st.integers(0, 2), max_size=8)
    for _ in range(draw(st.integers(1, 25))):
        earlier = draw(st.sampled_from(rows)) if rows else {"prompt": [], "output": []}
        kept = (earlier["prompt"] + earlier["output"])[: draw(st.integers(0, 24))]
        row: Row = {"prompt": kept + draw(tokens), "output": draw(tokens)}
        if draw(st.integers(0, 4)) == 0:
            row["namespace"] = "other"
        rows.append(row)
    return rows


@given(rows=conversations(), capacity=st.integers(1, 60), page_size=st.sampled_from([1, 1, 2, 3]))
@settings(max_examples=200, deadline=None)
def test_hits_are_those_of_the_naive_replay(
    rows: list[Row], capacity: int, page_size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = written(tmp_path_factory.getbasetemp(), rows)
    [found] = replay(path, ["lru"], [capacity], page_size=page_size)
    assert list(found.hits) == naive_hits(rows, capacity, page_size)
    assert found.hit_tokens == sum(found.hits)
    prompts = sum(len(row["prompt"]) for row in rows)
    assert found.prompt_tokens == prompts
    assert found.hit_rate == (found.hit_tokens / prompts if prompts else 0)
    infinite = naive_hits(rows, 10**9, page_size)
    assert found.bound == (sum(infinite) / prompts if prompts else 0)


def slow_token_belady(rows: list[Row], capacity: int) -> int:
    """Token by token, each known by its whole path; the next use of each is looked up in the prompts that follow."""

    def path(row: Row, tokens: list[int]) -> list[Any]:
        return [(row.get("namespace", ""), *tokens[: n + 1]) for n in range(len(tokens))]

    prompts = [path(row, row["prompt"]) for row in rows]
    resident: set[Any] = set()
    hits = 0
    for at, row in enumerate(rows):
        hits += leading(prompts[at], resident)
        resident.update(path(row, row["prompt"] + row["output"]))
        next_use = {
            token: next((n for n in range(at + 1, len(rows)) if token in prompts[n]), len(rows)) for token in resident
        }
        resident = set(sorted(resident, key=lambda token: (next_use[token], len(token)))[:capacity])
    return hits


@given(rows=conversations(), capacity=st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_belady_on_tokens_is_that_of_a_slow_one(
    rows: list[Row], capacity: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = written(tmp_path_factory.getbasetemp(), rows)
    found = replay(path, ["lru", "arc", "default"], [capacity])
    prompts = sum(len(row["prompt"]) for row in rows)
    for result in found:
        assert result.belady == (slow_token_belady(rows, capacity) / prompts if prompts else 0)
        assert result.hit_rate <= result.belady <= result.bound


def test_the_rules_by_hand(tmp_path: Path) -> None:
    """A whole prompt hits; a session, a TTL, a priority and a time are passed over; blank lines are no requests."""
    rows: list[Row] = [
        {"prompt": [1, 2, 3], "output": [4], "session": "s", "ttl": 5, "priority": 1, "timestamp": 0},
        {"prompt": [1, 2, 3, 4]},
        {"prompt": [1, 2, 3, 4], "namespace": "other", "output": []},
        {"prompt": [1, 2, 9], "output": []},
        {"prompt": [1, 2, 3, 4], "output": []},
    ]
    path = written(tmp_path, rows)
    path.write_text("\n" + path.read_text().replace("\n", "\n\n"))
    large, small = replay(path, ["lru"], [100, 5])
    assert large.hits == (0, 4, 0, 2, 4)
    # At 5 tokens: the other namespace's four push out the first four; [1, 2, 9] those; then [9] goes for [3, 4].
    assert small.hits == (0, 4, 0, 0, 2)
    assert (large.bound, large.belady, large.requests) == (10 / 18, 10 / 18, 5)
    assert large.timing_us.match_p50
    assert large.timing_us.insert_p50
    assert large.timing_us.evict_p50 is None
    assert small.timing_us.evict_p50


def test_a_request_over_the_capacity_keeps_its_leading_part(tmp_path: Path) -> None:
    rows: list[Row] = [{"prompt": list(range(10)), "output": [10, 11]}, {"prompt": list(range(12)), "output": []}]
    [found] = replay(written(tmp_path, rows), ["lru"], [7])
    assert found.hits == (0, 7)


def test_the_tail_of_a_page_neither_hits_nor_stays(tmp_path: Path) -> None:
    rows: list[Row] = [{"prompt": list(range(7)), "output": [7, 8, 9]}, {"prompt": list(range(10)), "output": []}]
    [found] = replay(written(tmp_path, rows), ["lru"], [100], page_size=4)
    assert found.hits == (0, 8)


# ---- block traces


def prefix_ids(paths: list[tuple[int, ...]]) -> list[list[int]]:
    """Ids that each name the whole prefix up to them, as Mooncake's do; far beyond int32, as hashes are."""
    ids: dict[tuple[int, ...], int] = {}
    return [[ids.setdefault(path[: n + 1], 2**40 + len(ids)) for n in range(len(path))] for path in paths]


PATHS = st.lists(st.lists(st.integers(0, 2), max_size=5).map(tuple), min_size=1, max_size=40).map(prefix_ids)


def leading(path: list[int], resident: Any) -> int:
    return next((at for at, block in enumerate(path) if block not in resident), len(path))


def flat_lru(paths: list[list[int]], capacity: int) -> list[int]:
    """Blocks in the order of their last use, the deepest of a request first to go."""
    resident: OrderedDict[int, None] = OrderedDict()
    hits = []
    for path in paths:
        hits.append(leading(path, resident))
        for block in reversed(path):
            resident[block] = None
            resident.move_to_end(block)
        while len(resident) > capacity:
            resident.popitem(last=False)
    return hits


def slow_belady(paths: list[list[int]], capacity: int) -> int:
    """Looks the next use of every block up in the rest of the trace, each time."""
    resident: dict[int, int] = {}  # block -> depth
    hits = 0
    for at, path in enumerate(paths):
        hits += leading(path, resident)
        resident.update({block: depth for depth, block in enumerate(path)})
        later = paths[at + 1 :]

        def rank(block: int, later: list[list[int]] = later) -> tuple[int, int]:
            next_use = next((n for n, other in enumerate(later) if block in other), len(later))
            return next_use, resident[block]

        for block in sorted(resident, key=rank)[capacity:]:
            del resident[block]
    return hits


@given(paths=PATHS, capacity=st.integers(5, 20))
@settings(max_examples=150, deadline=None)
def test_blocks_hit_as_in_a_flat_lru_and_in_a_slow_belady(
    paths: list[list[int]], capacity: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [{"timestamp": 0, "input_length": 512 * len(p), "output_length": 1, "hash_ids": p} for p in paths]
    [found] = replay(written(tmp_path_factory.getbasetemp(), rows), ["lru"], [capacity])
    blocks = sum(len(path) for path in paths)
    assert [hit // 512 for hit in found.hits] == flat_lru(paths, capacity)
    assert found.hit_rate == (sum(flat_lru(paths, capacity)) / blocks if blocks else 0)
    assert found.bound == (sum(flat_lru(paths, 10**6)) / blocks if blocks else 0)
    foreseen = slow_belady(paths, capacity)
    keys = [pack([block - 2**40 for block in path]) for path in paths]
    assert belady(routes([("", key, key) for key in keys]), capacity) == foreseen
    assert found.belady == (foreseen / blocks if blocks else 0)
    assert found.hit_rate <= found.belady <= found.bound


def test_rates_count_blocks_and_counts_are_of_tokens(tmp_path: Path) -> None:
    rows: list[Row] = [{"input_length": 600, "hash_ids": [1, 2]}, {"input_length": 600, "hash_ids": [1, 2]}]
    [found] = replay(written(tmp_path, rows), ["lru"], [2])
    assert (found.hit_rate, found.prompt_tokens, found.hits) == (0.5, 1200, (0, 600))


@pytest.mark.skipif(not MOONCAKE.exists(), reason="Mooncake's trace does not lie in ../shared/traces")
def test_a_public_trace_gives_its_known_figures() -> None:
    """Computed independently of this project, LRU also by libcachesim; % of blocks."""
    known = {512: (4.63, 20.16), 1_000: (8.41, 27.67), 5_000: (27.93, 52.63), 20_000: (57.18, 63.96)}
    found = replay(MOONCAKE, ["lru"], list(known))
    assert {r.capacity: (round(100 * r.hit_rate, 2), round(100 * r.belady, 2)) for r in found} == known
    assert {round(100 * r.bound, 2) for r in found} == {63.96}
    assert {r.requests for r in found} == {3_993}


# ---- results, progress, errors


def test_the_printed_object(tmp_path: Path) -> None:
    path = written(tmp_path, [{"prompt": [1, 2], "output": []}, {"prompt": [1, 2], "output": []}])
    seen: list[tuple[str, int, int]] = []
    results = replay(path, ["lru"], [10, 20], progress=lambda *call: seen.append(call))
    printed = results[0].as_json(per_request=True)
    assert json.loads(json.dumps(printed)) == printed
    timing = printed.pop("timing_us")
    assert printed == {
        "policy": "lru",
        "capacity": 10,
        "requests": 2,
        "prompt_tokens": 4,
        "hit_tokens": 2,
        "hit_rate": 0.5,
        "bound": 0.5,
        "belady": 0.5,
        "hits": [0, 2],
    }
    assert list(timing) == ["match_p50", "insert_p50", "evict_p50"]
    assert "hits" not in results[1].as_json()
    assert [(r.policy, r.capacity) for r in results] == [("lru", 10), ("lru", 20)]
    assert seen == [*(("bounds", n, 3) for n in (1, 2, 3)), ("lru at 10", 2, 2), ("lru at 20", 2, 2)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no requests"),
        ("\n \n", "holds no requests"),
        ("{", "line 1"),
        ("[1]", "line 1: Expected `object`"),
        ("{}", "line 1: neither a token trace.*its fields are none"),
        ('\n{"a": 1, "b": 2}', "line 2: neither a token trace.*its fields are a, b"),
        ('{"prompt": [1]}\n\n{"output": [1]}', "line 3: .*prompt"),
        ('{"prompt": [1, "2"]}', r"line 1: Expected `int`.*prompt"),
        ('{"prompt": [2147483648]}', r"line 1: .*<= 2147483647.*prompt"),
        ('{"prompt": [-1]}', r"line 1: .*>= 0.*prompt"),
        ('{"prompt": [1], "namespace": 3}', r"line 1: .*namespace"),
        ('{"hash_ids": [1]}', "line 1: .*input_length"),
        ('{"input_length": 1, "hash_ids": [1]}\n{"prompt": [1]}', "line 2: .*input_length"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(text)
    with pytest.raises(TraceError, match=message) as caught:
        replay(path, ["lru"], [10])
    assert str(path) in caught.value.message


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"cannot read the trace .*nothing\.jsonl: No such file"):
        replay(tmp_path / "nothing.jsonl", ["lru"], [10])


def test_wrong_wishes_are_refused(tmp_path: Path) -> None:
    tokens = written(tmp_path, [{"prompt": [1]}])
    with pytest.raises(ConfigError, match="'magic': no such policy"):
        replay(tokens, ["magic"], [10])
    with pytest.raises(InvalidRequest, match="capacity is 0") as caught:
        replay(tokens, ["lru"], [10, 0])
    assert caught.value.param == "capacity"
    with pytest.raises(InvalidRequest, match="page size is 0"):
        replay(tokens, ["lru"], [10], page_size=0)
    blocks = written(tmp_path, [{"input_length": 1, "hash_ids": [1]}])
    with pytest.raises(InvalidRequest, match="page size is 16") as caught:
        replay(blocks, ["lru"], [10], page_size=16)
    assert caught.value.param == "page_size"
