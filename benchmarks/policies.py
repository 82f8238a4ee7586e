"""What eviction policies hit: `python benchmarks/policies.py [MOONCAKE]` prints the tables of docs/replay.md.

MOONCAKE is kvcache-ai/Mooncake's `FAST25-release/traces/synthetic_trace.jsonl`; without it, only the second table is
printed: the trace of the three scenarios run together (`record_trace.py`), with what its requests say of themselves.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from radixa.bench.replay import ReplayResult, replay

POLICIES = ("lru", "arc", "default")
SCENARIOS = Path(__file__).parent / "traces" / "scenarios.jsonl.gz"
BLOCKS = (512, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
TOKENS = (3_000, 4_000, 5_000)
"""Capacities at which LRU keeps 20 to 80 % of what an infinite cache would."""


def table(results: Sequence[ReplayResult], capacities: Sequence[int]) -> None:
    """Percent hit by policy and capacity, and how far above LRU each is on average."""
    rows = {name: [r for r in results if r.policy == name] for name in POLICIES}
    print(f"{'':10}" + "".join(f"{capacity:>9,}" for capacity in capacities) + "   to LRU")
    for name, row in rows.items():
        above = sum(r.hit_rate - lru.hit_rate for r, lru in zip(row, rows["lru"], strict=True)) / len(row)
        print(f"{name:10}" + "".join(f"{100 * r.hit_rate:9.2f}" for r in row) + f"{100 * above:+9.2f}")
    print(f"{'Belady':10}" + "".join(f"{100 * r.belady:9.2f}" for r in rows["lru"]))
    print(f"{'infinite':10}" + "".join(f"{100 * r.bound:9.2f}" for r in rows["lru"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mooncake", nargs="?", type=Path)
    chosen = parser.parse_args()
    if chosen.mooncake is not None:
        print("Mooncake's trace, % of blocks of 512 tokens, capacity in blocks")
        table(replay(chosen.mooncake, POLICIES, BLOCKS), BLOCKS)
        print()
    print("Three scenarios together, % of prompt tokens, capacity in tokens")
    table(replay(SCENARIOS, POLICIES, TOKENS), TOKENS)


if __name__ == "__main__":
    main()
