"""Makes what a trial actor needs of an admitted trial."""

from __future__ import annotations

from workers.driver.control import Control
from workers.driver.task import FitTask, Task, Workplace
from workers.families.registry import FAMILIES
from workers.trial.job import FitJob, SandboxLimits

GRACE_SECONDS = 30.0
"""A trial may outlive the budget by so much: the order to finish ends it, not its own clock."""
LONGEST_SECONDS = 30 * 86_400.0
"""Limit of a trial where neither the search nor its budget has one: the longest budget."""


class TaskPacker:
    """Makes what an actor needs of a task, with the time that is left at that moment."""

    def __init__(self, search: str, metric: str, place: Workplace, control: Control) -> None:
        self._search = search
        self._metric = metric
        self._place = place
        self._control = control

    def __call__(self, task: Task) -> FitTask:
        """Pure but for the clock. With a GPU there is no backstop: the device's driver reserves
        address space as it likes.
        """
        chosen = task.configuration
        job = FitJob(
            search=self._search,
            number=task.number,
            attempt=task.attempt,
            family=chosen.family,
            parameters=chosen.parameters,
            seed=task.seed,
            metric=self._metric,
            cpus=task.reservation.cpus,
            directory=self._place.prepare.directory,
            gpus=task.reservation.gpus,
        )
        limits = SandboxLimits(
            memory_bytes=task.reservation.memory_bytes,
            wall_seconds=self._wall_seconds(),
            cpus=task.reservation.cpus,
            has_backstop=task.has_backstop
            and FAMILIES[chosen.family].tolerates_failed_malloc
            and not task.reservation.gpus,
        )
        return FitTask(job, limits, task.reservation, self._place)

    def _wall_seconds(self) -> float:
        limits = self._control.spec.limits
        if limits.HasField("time_per_trial"):
            return limits.time_per_trial.ToTimedelta().total_seconds()
        remaining = self._control.remaining_seconds
        return LONGEST_SECONDS if remaining is None else remaining + GRACE_SECONDS
