"""The engine's own figures for Prometheus: gauges of now, and counters that are only ever added to.

What dashboards made for vLLM look for is there under vLLM's names as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from radixa.engine.base import EngineStats
from radixa.kv.tiers.base import TierStats

_GAUGES = {
    "running": "Requests being computed.",
    "waiting": "Requests waiting for their turn.",
    "capacity": "Slots of the KV pool, in tokens.",
    "free": "Slots that hold nothing.",
    "tree": "Slots that the tree holds.",
    "leased": "Slots that running requests hold.",
    "evictable": "Slots of the tree that nobody uses now.",
    "nodes": "Nodes of the tree.",
    "retained": "Tokens that TTLs, priorities and pins keep.",
    "retention_budget": "Tokens that they may keep.",
}
_COUNTERS = {
    "steps": "Steps computed.",
    "requests": "Requests begun.",
    "prompt_tokens": "Prompt tokens of all requests.",
    "cached_tokens": "Prompt tokens whose KV was reused.",
    "computed_tokens": "Prompt tokens that went through the model.",
    "generated_tokens": "Tokens generated.",
    "evicted_tokens": "Tokens evicted from the tree.",
    "expired_tokens": "Tokens whose TTL ran out.",
    "yielded_tokens": "Tokens that lost their retention to its budget.",
    "wanted_tokens": "Prompt tokens computed again because they had been evicted or had expired.",
    "retractions": "Running requests that had to give their slots back.",
}
_HOST_GAUGES = {
    "bytes": "Bytes of blocks in the host's memory.",
    "budget": "Bytes that they may take.",
    "blocks": "Blocks there.",
}
_HOST_COUNTERS = {
    "written_bytes": "Bytes copied there from the GPU.",
    "loaded_bytes": "Bytes copied back.",
    "evicted_blocks": "Blocks that had to go because the budget was used.",
    "refused_jobs": "Writes not taken: nothing there could go.",
}
_DISK_GAUGES = {
    "bytes": "Bytes of the files on disk.",
    "budget": "Bytes that they may take.",
    "blocks": "Blocks of this model on disk.",
    "queued": "Bytes that wait to be written.",
}
_DISK_COUNTERS = {
    "written_bytes": "Bytes written.",
    "write_seconds": "Seconds spent on writing.",
    "loaded_bytes": "Bytes loaded.",
    "load_seconds": "Seconds spent on loading.",
    "evicted_blocks": "Blocks that had to go because the budget was used.",
    "adopted_blocks": "Blocks found sound that the index did not know, as after a kill.",
    "refused_jobs": "Writes not taken: too much waited, or the disk was out of reach.",
    "write_errors": "Writes that failed.",
    "index_rebuilds": "Times the index was made anew.",
}
_EVENT_COUNTERS = {
    "batches": "Messages published.",
    "stored": "Blocks told as stored.",
    "removed": "Blocks told as removed.",
    "replays": "Answers on the replay socket.",
    "snapshots": "Times all was told anew to who had missed too much.",
    "overflows": "Times all was told anew because too much waited.",
}


class EngineFigures:
    """A collector over the engine's last answer."""

    def __init__(self) -> None:
        self.stats: EngineStats | None = None
        """None while the engine cannot be asked."""
        self.model = ""

    def collect(self) -> Iterator[Metric]:
        stats = self.stats
        yield GaugeMetricFamily(
            "radixa_engine_up", "Whether the embedded engine can be asked.", value=float(stats is not None)
        )
        if stats is None:
            return
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"radixa_engine_{name}", text, value=getattr(stats, name))
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"radixa_engine_{name}", text, value=getattr(stats, name))
        below = {"host": stats.host_tokens, "disk": stats.disk_tokens}
        tiers = {"device": stats.cached_tokens - sum(below.values())} | below
        yield _labelled("radixa_engine_tier_cached_tokens", "Prompt tokens reused, by where they lay.", "tier", tiers)
        removed = {"capacity": stats.evicted_tokens, "flush": stats.flushed_tokens}
        yield _labelled(
            "radixa_engine_removed_tokens", "Tokens that left the tree, by why they did.", "reason", removed
        )
        if stats.host.enabled:
            yield from _host(stats.host)
        if stats.disk.enabled:
            yield from _disk(stats.disk)
        for name, text in _EVENT_COUNTERS.items():
            yield CounterMetricFamily(f"radixa_kv_events_{name}", text, value=getattr(stats.events, name))
        yield from self._vllm(stats)

    def _vllm(self, stats: EngineStats) -> Iterator[Metric]:
        in_use = stats.leased + stats.tree - stats.evictable
        gauges = {
            "num_requests_running": ("Requests being computed.", stats.running),
            "num_requests_waiting": ("Requests waiting for their turn.", stats.waiting),
            "kv_cache_usage_perc": ("Share of the KV pool in use by requests, 0 to 1.", in_use / (stats.capacity or 1)),
        }
        counters = {
            "prefix_cache_queries": ("Prompt tokens looked up in the prefix cache.", stats.prompt_tokens),
            "prefix_cache_hits": ("Prompt tokens found there.", stats.cached_tokens),
            "prompt_tokens": ("Prompt tokens of all requests.", stats.prompt_tokens),
            "generation_tokens": ("Tokens generated.", stats.generated_tokens),
        }
        for name, (text, value) in gauges.items():
            gauge = GaugeMetricFamily(f"vllm:{name}", text, labels=["model_name"])
            gauge.add_metric([self.model], value)
            yield gauge
        for name, (text, count) in counters.items():
            yield _labelled(f"vllm:{name}", text, "model_name", {self.model: count})


def _host(host: TierStats) -> Iterator[Metric]:
    for name, text in _HOST_GAUGES.items():
        yield GaugeMetricFamily(f"radixa_host_{name}", text, value=getattr(host, name))
    for name, text in _HOST_COUNTERS.items():
        yield CounterMetricFamily(f"radixa_host_{name}", text, value=getattr(host, name))


def _disk(disk: TierStats) -> Iterator[Metric]:
    for name, text in _DISK_GAUGES.items():
        yield GaugeMetricFamily(f"radixa_disk_{name}", text, value=getattr(disk, name))
    for name, text in _DISK_COUNTERS.items():
        yield CounterMetricFamily(f"radixa_disk_{name}", text, value=getattr(disk, name))
    dropped = {str(reason): count for reason, count in disk.dropped.items()}
    yield _labelled("radixa_disk_dropped_blocks", "Blocks found unsound, by what was wrong.", "reason", dropped)


def _labelled(name: str, text: str, label: str, values: Mapping[str, int]) -> CounterMetricFamily:
    found = CounterMetricFamily(name, text, labels=[label])
    for value, count in values.items():
        found.add_metric([value], count)
    return found
