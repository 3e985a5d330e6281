"""What the demo looks for in /metrics is there, and its absence is noticed."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from controller.adapters.fake_clock import FakeClock
from controller.adapters.prometheus import PrometheusMetrics
from controller.adapters.prometheus_store import StoreCollector
from controller.adapters.sql_store import SqlStore
from loadtests.demo import STORY, DemoError, story_lines


def test_every_part_of_the_story_is_exported() -> None:
    registry, store = CollectorRegistry(), SqlStore("sqlite://")
    PrometheusMetrics(registry, ("linear",))
    StoreCollector(registry, store, FakeClock(), lambda _: None)
    exported = generate_latest(registry).decode().splitlines()
    store.close()
    for prefix in STORY:
        assert any(line.startswith(prefix) for line in exported), prefix


@pytest.mark.parametrize("missing", STORY)
def test_a_part_that_is_missing_or_zero_ends_the_demo(missing: str) -> None:
    lines = [f'{prefix}x="y"}} 1.0' for prefix in STORY]
    assert story_lines(lines) == lines
    without = [line for line in lines if not line.startswith(missing)]
    for zero in ([], [f'{missing}x="y"}} 0.0']):
        with pytest.raises(DemoError, match="has no line that begins with"):
            story_lines([*without, *zero])
