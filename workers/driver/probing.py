"""The probe: a few trees grown before the first candidate, while Tune is still being imported.

What it cannot tell in time, or at all, is no failure: predictions then rest on the shape alone.
"""

from __future__ import annotations

import logging

from headgate.v1 import worker_service_pb2
from workers.driver.assignment import Assignment
from workers.driver.cluster import Cluster
from workers.driver.control import Control
from workers.driver.controller_client import ControllerClient
from workers.driver.jobs import wait_for_outcome
from workers.driver.task import Workplace
from workers.families.base import Growth
from workers.trial.job import Outcome, SandboxLimits

log = logging.getLogger("headgate.driver")

CPU_SECONDS = 2.0
"""What growing trees may take."""
WALL_SECONDS = 20.0
"""Hard limit: its CPU time on a busy node, and reading the table."""


class Probe:
    """One use: `run`."""

    def __init__(
        self,
        assignment: Assignment,
        place: Workplace,
        cluster: Cluster,
        client: ControllerClient,
        control: Control,
    ) -> None:
        self._assignment = assignment
        self._place = place
        self._cluster = cluster
        self._client = client
        self._control = control

    def run(self) -> None:
        """Grows trees and reports them, if the controller asked for it. Blocks until it knows."""
        if not self._assignment.opened.probe_families or self._control.is_ending:
            return
        self._control.phase = "probing how large trees grow"
        held = self._assignment.largest
        job = self._cluster.probe(
            self._assignment.probe_job(CPU_SECONDS),
            self._place.prepare,
            self._place.prepare_limits,
            SandboxLimits(held.memory_bytes, WALL_SECONDS),
            held,
        )
        outcome = wait_for_outcome(job, self._control, self._cancel)
        growths = _growths(outcome)
        if not growths:
            log.info("the probe told nothing: %s", outcome.message or outcome.kind)
            return
        self._client.report_probe(growths)
        log.info("probed %d kinds of trees in %.1f s", len(growths), outcome.wall_seconds)

    def _cancel(self) -> None:
        self._cluster.cancel(self._assignment.name)


def _growths(outcome: Outcome) -> list[worker_service_pb2.TreeGrowth]:
    """As messages; none when it did not end well."""
    if outcome.kind != "OK" or not isinstance(outcome.value, tuple):
        return []
    found = [each for each in outcome.value if isinstance(each, Growth)]
    return [worker_service_pb2.TreeGrowth(**vars(each)) for each in found]
