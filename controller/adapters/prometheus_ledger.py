"""Exports the ledger to Prometheus, worked out anew at every scrape.

| metric | type | labels | what |
|---|---|---|---|
| headgate_ledger_memory_bytes | gauge | kind | `capacity` for trials, `held` by them, `free` |
| headgate_ledger_cpus | gauge | kind | CPU cores, likewise |
| headgate_ledger_gpus | gauge | kind | GPUs, likewise |
| headgate_ledger_trials | gauge | standing | trials `running`, `granted`, `waiting` for room |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.domain.ledger import Statistics


class LedgerCollector(Collector):
    """Registers itself with `registry`."""

    def __init__(self, registry: CollectorRegistry, statistics: Callable[[], Statistics]) -> None:
        self._statistics = statistics
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask the ledger."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        told = self._statistics()
        needs = {"capacity": told.capacity, "held": told.held, "free": told.free}
        yield _gauge(
            "headgate_ledger_memory_bytes",
            "Memory that trials may have, hold, and may still get.",
            "kind",
            {kind: need.memory_bytes for kind, need in needs.items()},
        )
        yield _gauge(
            "headgate_ledger_cpus",
            "CPU cores that trials may have, hold, and may still get.",
            "kind",
            {kind: need.cpus for kind, need in needs.items()},
        )
        yield _gauge(
            "headgate_ledger_gpus",
            "GPUs that trials may have, hold, and may still get.",
            "kind",
            {kind: need.gpus for kind, need in needs.items()},
        )
        yield _gauge(
            "headgate_ledger_trials",
            "Trials that run, that may start, and that wait for room.",
            "standing",
            {"running": told.running, "granted": told.granted, "waiting": told.waiting},
        )


def _gauge(name: str, text: str, label: str, values: dict[str, float]) -> GaugeMetricFamily:
    metric = GaugeMetricFamily(name, text, labels=(label,))
    for value, figure in values.items():
        metric.add_metric((value,), figure)
    return metric
