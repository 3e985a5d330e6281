"""What the controller assigned, as the jobs and messages that the driver makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.v1 import dataset_pb2, model_pb2, search_pb2, worker_service_pb2
from workers.data.layout import ColumnInfo
from workers.driver.leaderboard import Scored
from workers.driver.task import Reservation
from workers.driver.values import to_struct
from workers.families.registry import FAMILIES
from workers.trial.job import PrepareJob, ProbeJob, RefitJob, RefitResult, SandboxLimits

PREPARE_BYTES = 512 << 20
"""Encoding streams: 1,000,000 rows of 43 columns took 190 MB (measured)."""

PREPARE_SECONDS = 6 * 3600.0
"""Limit for encoding a table: far above any sound one, so that a hang ends."""
REFIT_SECONDS = 600.0
REFIT_FACTOR = 20.0
"""Limit of a refit: so many times its trial's wall time, and at least `REFIT_SECONDS`, so that a
hang ends; a time budget ends it sooner."""
REFIT_GRACE_SECONDS = 10.0
REFIT_GRACE_SHARE = 0.1
"""The refit may outlive a time budget by this share of it, and by `REFIT_GRACE_SECONDS` at least:
its time was estimated, and a search without a model is worth nothing. `Budget.time` says so."""


@dataclass(frozen=True)
class Assignment:
    """An opened session. work_dir: Headgate's directory on every node."""

    opened: worker_service_pb2.OpenSessionResponse
    work_dir: Path

    @property
    def search(self) -> search_pb2.Search:
        """The search as stored."""
        return self.opened.search

    @property
    def name(self) -> str:
        """The search's resource name."""
        return str(self.opened.search.name)

    @property
    def directory(self) -> Path:
        """The search's directory on a node."""
        return search_directory(self.work_dir, self.name)

    @property
    def slots(self) -> int:
        """Trials that run at once at the smallest reservation."""
        return max(1, int(self.opened.slots))

    @property
    def cpus(self) -> int:
        """Cores of a trial."""
        return max(1, int(self.search.spec.limits.cpus_per_trial))

    @property
    def largest(self) -> Reservation:
        """The largest reservation; the data is prepared in it."""
        sizes = self.opened.reservation_sizes_bytes
        if not sizes:
            raise ValueError("the controller gave no reservation sizes")
        return Reservation(self.cpus, 0.0, max(sizes))

    def prepare_job(self) -> PrepareJob:
        """Encode the dataset for this search."""
        search, spec = self.search, self.search.spec
        columns = {each.name: each for each in self.opened.dataset.profile.columns}
        return PrepareJob(
            search=self.name,
            dataset_uri=self.opened.dataset_uri,
            columns=tuple(_column(columns[name]) for name in search.feature_columns),
            target_column=spec.target_column,
            task=self.task,
            classes=tuple(search.classes),
            folds=self.opened.folds,
            seed=spec.seed % 2**31,
            directory=str(self.directory / "data"),
            weight_column=spec.weight_column,
            group_column=spec.group_column,
            time_column=spec.time_column,
        )

    def prepare_limits(self) -> SandboxLimits:
        """What encoding may use: the largest reservation, but never less than encoding itself is
        known to need, however little the search allows a trial. `Cluster.prepare` holds as much.
        """
        held = self.largest
        memory_bytes = max(held.memory_bytes, PREPARE_BYTES)
        return SandboxLimits(memory_bytes, PREPARE_SECONDS, held.cpus)

    def probe_job(self, cpu_seconds: float) -> ProbeJob:
        """Grow a few trees of the families that the controller asked for."""
        return ProbeJob(
            search=self.name,
            families=tuple(self.opened.probe_families),
            seed=self.search.spec.seed % 2**31,
            cpu_seconds=cpu_seconds,
            directory=str(self.directory / "data"),
        )

    def refit_job(self, best: Scored) -> RefitJob:
        """Fit this configuration on all rows and write its bundle."""
        return RefitJob(
            search=self.name,
            number=best.number,
            family=best.configuration.family,
            parameters=best.configuration.parameters,
            seed=best.seed,
            cpus=best.reservation.cpus,
            directory=str(self.directory / "data"),
            bundle_uri=self.opened.bundle_uri,
            description=self._description(best),
            gpus=best.reservation.gpus,
        )

    def refit_limits(
        self, best: Scored, held: Reservation, left_seconds: float | None
    ) -> SandboxLimits:
        """What a refit may use. left_seconds: see `refit_seconds`, less what has passed."""
        trial_seconds = best.usage.wall_time.ToTimedelta().total_seconds()
        longest = max(REFIT_SECONDS, REFIT_FACTOR * trial_seconds)
        return SandboxLimits(
            memory_bytes=held.memory_bytes,
            wall_seconds=longest if left_seconds is None else min(longest, left_seconds),
            cpus=held.cpus,
            has_backstop=FAMILIES[best.configuration.family].tolerates_failed_malloc
            and not best.reservation.gpus,
        )

    def model(self, best: Scored, result: RefitResult) -> model_pb2.Model:
        """What the controller is told of the model."""
        return model_pb2.Model(
            trial=f"{self.name}/trials/{best.number}",
            family=best.configuration.family,
            parameters=to_struct(best.configuration.parameters),
            task=self.search.task,
            target_column=self.search.spec.target_column,
            classes=self.search.classes,
            positive_class=self.positive_class,
            inputs=[
                model_pb2.ModelInput(name=name, kind=_kind_number(kind), datatype=datatype)
                for name, kind, datatype in result.inputs
            ],
            metric=self.search.metric,
            score=best.score,
            training_rows=result.training_rows,
            manifest_sha256=result.manifest_sha256,
            bundle_bytes=result.bundle_bytes,
        )

    @property
    def task(self) -> str:
        """`binary`, `multiclass` or `regression`."""
        return str(search_pb2.Task.Name(self.search.task)).removeprefix("TASK_").lower()

    @property
    def positive_class(self) -> str:
        """The class that binary metrics look at: the last one; empty for other tasks."""
        is_binary = self.search.task == search_pb2.TASK_BINARY
        return self.search.classes[-1] if is_binary and self.search.classes else ""

    def _description(self, best: Scored) -> Mapping[str, Any]:
        return {
            "search": self.name,
            "trial": f"{self.name}/trials/{best.number}",
            "family": best.configuration.family,
            "parameters": dict(best.configuration.parameters),
            "task": self.task,
            "target_column": self.search.spec.target_column,
            "classes": list(self.search.classes),
            "positive_class": self.positive_class,
            "metric": self.search.metric,
            "score": best.score,
        }


def refit_seconds(budget: search_pb2.Budget, remaining_seconds: float | None) -> float | None:
    """What all refits together may take; None without a time budget.

    remaining_seconds: what is left of the budget, None while that is not known.
    """
    if not budget.HasField("time"):
        return None
    total = budget.time.ToTimedelta().total_seconds()
    left = total if remaining_seconds is None else remaining_seconds
    return left + max(REFIT_GRACE_SECONDS, REFIT_GRACE_SHARE * total)


def search_directory(work_dir: Path, search: str) -> Path:
    """`{work_dir}/searches/{namespace}.{search}`, the same on every node."""
    _, namespace, _, search_id = search.split("/")
    return work_dir / "searches" / f"{namespace}.{search_id}"


def _column(profile: dataset_pb2.ColumnProfile) -> ColumnInfo:
    kind = dataset_pb2.ColumnKind.Name(profile.kind).removeprefix("COLUMN_KIND_")
    return ColumnInfo(profile.name, kind, profile.distinct_count, profile.missing_count > 0)


def _kind_number(kind: str) -> dataset_pb2.ColumnKind:
    number: dataset_pb2.ColumnKind = getattr(dataset_pb2, f"COLUMN_KIND_{kind}")
    return number
