"""The messages between driver, node agent and sandbox child. Plain data, standard library only.

All of them are picklable, and small: tables are passed by path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.data.layout import ColumnInfo
from workers.families.base import DataShape


@dataclass(frozen=True)
class PrepareJob:
    """Encode a dataset for a search.

    search: resource name. dataset_uri: the stored Parquet file. columns: the feature columns in
    order. target_column: what is learned. task: `binary`, `multiclass`, `regression`. classes:
    texts in order, empty for regression; the text of a number or boolean is parsed back to find
    its rows. folds: number of folds, 0 for a 20 % holdout.
    directory: where to write (see `workers.data.prepare`).
    """

    search: str
    dataset_uri: str
    columns: tuple[ColumnInfo, ...]
    target_column: str
    task: str
    classes: tuple[str, ...]
    folds: int
    seed: int
    directory: str
    weight_column: str = ""
    group_column: str = ""
    time_column: str = ""


@dataclass(frozen=True)
class PreparedData:
    """An encoded dataset on this node: its directory and shape."""

    directory: str
    shape: DataShape
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProbeJob:
    """Grow a few trees of these families on the prepared data in `directory`; see
    `workers.trial.probe`. cpu_seconds: what that may take.
    """

    search: str
    families: tuple[str, ...]
    seed: int
    cpu_seconds: float
    directory: str


@dataclass(frozen=True)
class FitJob:
    """Score one configuration on the prepared data in `directory`. gpus: share of a device, or
    devices, that it may use.
    """

    search: str
    number: int
    attempt: int
    family: str
    parameters: Mapping[str, Any]
    seed: int
    metric: str
    cpus: int
    directory: str
    gpus: float = 0.0


@dataclass(frozen=True)
class FitResult:
    """score: the metric, in its own direction, the mean of `fold_scores`, which lack folds that do
    not define it. metrics: all of the task by name, averaged likewise, without undefined ones.
    model_bytes: size of one fold's serialised model. predict_seconds: median time to predict one
    row. fit_seconds: wall time of the fits alone.
    """

    score: float
    fold_scores: tuple[float, ...]
    metrics: Mapping[str, float]
    model_bytes: int
    predict_seconds: float
    fit_seconds: float


@dataclass(frozen=True)
class RefitJob:
    """Fit a configuration on all rows and write its bundle to `bundle_uri`.

    description: what the bundle's manifest says about the model (search, trial, metric, score …).
    gpus: as in `FitJob`.
    """

    search: str
    number: int
    family: str
    parameters: Mapping[str, Any]
    seed: int
    cpus: int
    directory: str
    bundle_uri: str
    description: Mapping[str, Any] = field(default_factory=dict)
    gpus: float = 0.0


@dataclass(frozen=True)
class RefitResult:
    """manifest_sha256: hexadecimal hash of the manifest. bundle_bytes: all files. inputs: the
    columns the model wants as (name, kind, Open Inference Protocol datatype).
    """

    manifest_sha256: str
    bundle_bytes: int
    training_rows: int
    inputs: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class SandboxLimits:
    """memory_bytes: anonymous memory above the idle child. wall_seconds: time until it is ended.
    cpus: threads. has_backstop: RLIMIT_DATA may be set (see `Family.tolerates_failed_malloc`);
    False for an attempt that repeats one whose evidence was `suspect`. gpu: the devices the job
    sees, as CUDA_VISIBLE_DEVICES writes them; none when empty.
    """

    memory_bytes: int
    wall_seconds: float
    cpus: int = 1
    has_backstop: bool = True
    gpu: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a sandboxed job ended.

    kind: `OK`, or the class of failure as in `headgate.v1.TrialFailure.Kind` (MEMORY_EXCEEDED,
    TIMED_OUT, CRASHED, BAD_CONFIG, CANCELLED, LOST). value: what the job returned when OK.
    peak_memory_bytes: anonymous memory above the idle child. limit_bytes: what it was allowed.
    exit_code: negative for a signal. enforcement: `watchdog`, `watchdog+rlimit`,
    `cgroup+watchdog`, `cgroup+watchdog+rlimit`: what held this very job.

    evidence: what the kind was concluded from.
    `watchdog`: seen above its limit, and ended. `cgroup`: the kernel ended it at its group's limit.
    `refused`: a library or the interpreter said that memory was refused. `suspect`: it died or hung
    as libraries do that are refused memory, near its limit or with RLIMIT_DATA set; run again
    without that, it shows. `node`: the node was out of memory; with LOST it was not to blame.
    `timeout`: out of wall or processor time. `exit`: died by itself, or was killed from outside.
    `raised`: an exception that says nothing of memory. Empty when it ended well or by order, or
    when its worker was lost.
    """

    kind: str
    value: Any = None
    message: str = ""
    traceback: str = ""
    stderr_tail: str = ""
    exit_code: int = 0
    peak_memory_bytes: int = 0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    enforcement: str = ""
    node: str = ""
    evidence: str = ""
    limit_bytes: int = 0
