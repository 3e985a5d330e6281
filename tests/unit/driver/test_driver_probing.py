"""The driver's probe: only when asked for, and never a reason to fail."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path
from typing import Any, cast

import pytest

from tests.unit.driver.fake_controller import SEARCH, FakeController, serving
from workers.driver.assignment import Assignment
from workers.driver.cluster import Cluster
from workers.driver.control import Control, Directive
from workers.driver.controller_client import ControllerClient
from workers.driver.probing import CPU_SECONDS, Probe
from workers.driver.task import Workplace
from workers.families.base import Growth
from workers.trial.job import Outcome, PrepareJob, ProbeJob, SandboxLimits

GROWTHS = (Growth("random_forest", 1, 0.25, 0.3), Growth("extra_trees", 6, 0.75, 0.1))


class FakeNode:
    """Stands for the cluster: ends the probe as told, remembers what was asked."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.asked: list[tuple[Any, ...]] = []

    def probe(self, *asked: Any) -> concurrent.futures.Future[Outcome]:
        self.asked.append(asked)
        future: concurrent.futures.Future[Outcome] = concurrent.futures.Future()
        future.set_result(self.outcome)
        return future

    def cancel(self, search: str) -> None:
        raise AssertionError(search)


def run(
    fake: FakeController, outcome: Outcome, tmp_path: Path, mode: int = Directive.RUN
) -> FakeNode:
    """A driver's probe against a real connection."""
    node = FakeNode(outcome)
    with serving(fake) as address:
        client = ControllerClient(address, "secret-of-the-search")
        try:
            opened = client.open_session(SEARCH, "d1")
            control = Control()
            opened.directive.mode = cast(Any, mode)
            control.apply(opened.directive)
            place = Workplace(
                str(tmp_path),
                PrepareJob(SEARCH, "u", (), "y", "binary", ("a", "b"), 2, 0, str(tmp_path)),
                SandboxLimits(1 << 30, 99.0),
                cast(Any, None),
            )
            assignment = Assignment(opened, tmp_path)
            Probe(assignment, place, cast(Cluster, node), client, control).run()
        finally:
            client.close()
    return node


def test_nothing_is_grown_unless_asked_for(tmp_path: Path) -> None:
    fake = FakeController()
    assert run(fake, Outcome("OK", GROWTHS), tmp_path).asked == []
    assert fake.growths == []


def test_what_grew_is_reported(tmp_path: Path) -> None:
    fake = FakeController(probe_families=["random_forest", "extra_trees"])
    node = run(fake, Outcome("OK", GROWTHS), tmp_path)
    ((job, prepare, prepare_limits, limits, held),) = node.asked
    assert isinstance(job, ProbeJob)
    assert job.families == ("random_forest", "extra_trees")
    assert job.cpu_seconds == CPU_SECONDS <= 2.0
    assert limits.memory_bytes == held.memory_bytes == 1 << 28
    assert limits.wall_seconds < prepare_limits.wall_seconds, "preparing is not cut short by it"
    assert prepare.search == SEARCH
    assert [(g.family, g.leaf, g.share, g.nodes_per_row) for g in fake.growths] == [
        ("random_forest", 1, 0.25, 0.3),
        ("extra_trees", 6, 0.75, 0.1),
    ]


@pytest.mark.parametrize("kind", ["TIMED_OUT", "MEMORY_EXCEEDED", "CRASHED", "LOST", "CANCELLED"])
def test_a_probe_that_fails_stops_nothing(tmp_path: Path, kind: str) -> None:
    fake = FakeController(probe_families=["random_forest"])
    assert len(run(fake, Outcome(kind, GROWTHS, message="no"), tmp_path).asked) == 1
    assert fake.growths == []


def test_a_probe_without_time_for_a_tree_reports_nothing(tmp_path: Path) -> None:
    fake = FakeController(probe_families=["random_forest"])
    run(fake, Outcome("OK", ()), tmp_path)
    assert fake.growths == []


def test_a_search_that_ends_is_not_probed(tmp_path: Path) -> None:
    fake = FakeController(probe_families=["random_forest"])
    assert run(fake, Outcome("OK", GROWTHS), tmp_path, Directive.CANCEL).asked == []
