"""What the control plane remembers: datasets, searches, trials, models, deployments.

All records are frozen; a change makes a new one. They are plain data: no transport types, no
behaviour beyond derived properties. `controller.domain.codec` turns them into JSON and back.

Units: `*_at` are seconds since the Unix epoch (float), `*_seconds` durations, `*_bytes` bytes.
Names are the strings that `controller.domain.names` prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controller.domain.states import DeploymentState, SearchState, TrialState


class ColumnKind(StrEnum):
    """What a column holds."""

    NUMBER = "NUMBER"
    CATEGORY = "CATEGORY"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    TEXT = "TEXT"


class Task(StrEnum):
    """What is predicted."""

    BINARY = "BINARY"
    MULTICLASS = "MULTICLASS"
    REGRESSION = "REGRESSION"


class Decision(StrEnum):
    """What the gate decided."""

    ADMITTED = "ADMITTED"
    SHRUNK = "SHRUNK"
    DEFERRED = "DEFERRED"
    REJECTED = "REJECTED"


class Reason(StrEnum):
    """Why the gate rejected; `headgate.v1.Verdict.Reason` documents each."""

    EXCEEDS_NODE_MEMORY = "EXCEEDS_NODE_MEMORY"
    EXCEEDS_TRIAL_LIMIT = "EXCEEDS_TRIAL_LIMIT"
    EXCEEDS_QUOTA = "EXCEEDS_QUOTA"
    EXCEEDS_TIME_BUDGET = "EXCEEDS_TIME_BUDGET"
    EXCEEDS_MODEL_SIZE = "EXCEEDS_MODEL_SIZE"
    EXCEEDS_PREDICT_LATENCY = "EXCEEDS_PREDICT_LATENCY"
    EXCEEDS_GPU_MEMORY = "EXCEEDS_GPU_MEMORY"
    NO_SUCH_RESOURCE = "NO_SUCH_RESOURCE"


class Shrink(StrEnum):
    """What the gate may change of a candidate; `headgate.v1.ShrinkPolicy` documents each."""

    NONE = "NONE"
    SAME_RESULT = "SAME_RESULT"
    ANY = "ANY"


class BoundSource(StrEnum):
    """Where a bound comes from; `headgate.v1.Calibration.Source` documents each."""

    PRIOR = "PRIOR"
    POOLED = "POOLED"
    FAMILY = "FAMILY"
    MEMO = "MEMO"
    STRUCTURAL = "STRUCTURAL"


class FailureKind(StrEnum):
    """Why a trial has no score; `headgate.v1.TrialFailure.Kind` documents each."""

    MEMORY_EXCEEDED = "MEMORY_EXCEEDED"
    TIMED_OUT = "TIMED_OUT"
    CRASHED = "CRASHED"
    BAD_CONFIG = "BAD_CONFIG"
    LOST = "LOST"
    CANCELLED = "CANCELLED"


class Origin(StrEnum):
    """Where a candidate came from."""

    DEFAULT = "DEFAULT"
    PINNED = "PINNED"
    SAMPLED = "SAMPLED"


@dataclass(frozen=True)
class ValueCount:
    """A value as text, spelled as in the file, and the number of rows that hold it."""

    value: str
    count: int


@dataclass(frozen=True)
class Column:
    """One column's profile; `headgate.v1.ColumnProfile` documents each field."""

    name: str
    kind: ColumnKind
    missing_count: int
    distinct_count: int
    is_distinct_count_capped: bool = False
    top_values: tuple[ValueCount, ...] = ()
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    standard_deviation: float | None = None
    is_integer: bool = False
    mean_length: float = 0.0
    is_dropped: bool = False
    note: str = ""


@dataclass(frozen=True)
class Dataset:
    """A table, read once. `uri` names its stored Parquet copy in the artifact store."""

    name: str
    source: str
    format: str
    rows: int
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    uri: str
    stored_bytes: int
    created_at: float
    revision: int = 0

    def column(self, name: str) -> Column | None:
        """The column called `name`, or None."""
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True)
class Quota:
    """The most that the trials of a namespace may hold at once; None means no limit."""

    memory_bytes: int | None = None
    cpus: float | None = None
    gpus: float | None = None


@dataclass(frozen=True)
class Budget:
    """When a search ends; None means no limit."""

    time_seconds: float | None = None
    max_trials: int | None = None


@dataclass(frozen=True)
class Limits:
    """What one trial may use and a model must hold to; None means no limit of the search's own."""

    memory_per_trial_bytes: int | None = None
    cpus_per_trial: int = 1
    gpus_per_trial: float = 0.0
    time_per_trial_seconds: float | None = None
    max_concurrent_trials: int | None = None
    max_model_bytes: int | None = None
    max_predict_seconds: float | None = None
    shrink: Shrink = Shrink.SAME_RESULT


@dataclass(frozen=True)
class Space:
    """A search space as plain data.

    families: family -> parameter -> one of {"integers": [low, high, log]}, {"numbers": [low, high,
    log]}, {"choices": [...]}, {"fixed": value}. pinned: {"family": ..., "parameters": {...}} in
    the order to try them.
    """

    families: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    pinned: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class SearchSpec:
    """What was asked of a search; `headgate.v1.SearchSpec` documents each field."""

    dataset: str
    target_column: str
    task: Task | None = None
    positive_class: str = ""
    excluded_columns: tuple[str, ...] = ()
    weight_column: str = ""
    group_column: str = ""
    time_column: str = ""
    metric: str = ""
    families: tuple[str, ...] = ()
    space: Space = field(default_factory=Space)
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    limits: Limits = field(default_factory=Limits)
    deploy: str = ""


@dataclass(frozen=True)
class Plan:
    """What a spec means for its dataset, settled when the search is created.

    classes: as text, in the order of probability columns; for a binary task the positive class is
    last. folds: 0 for a holdout.
    """

    task: Task
    metric: str
    is_metric_maximized: bool
    classes: tuple[str, ...]
    positive_class: str
    feature_columns: tuple[str, ...]
    rows: int
    folds: int
    validation: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """An error that ended something: a stable reason and one line for people."""

    reason: str
    message: str


@dataclass(frozen=True)
class TreeGrowth:
    """Trees that grew on a search's data; `headgate.v1.TreeGrowth` documents each field."""

    family: str
    leaf: int
    share: float
    nodes_per_row: float


@dataclass(frozen=True)
class Search:
    """A search. `revision` counts every stored change of anything in the store, so it grows."""

    name: str
    spec: SearchSpec
    plan: Plan
    state: SearchState
    created_at: float
    token_sha256: str
    """Hash of the token that its driver must show."""
    spec_revision: int = 1
    pending_reason: str = ""
    phase: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    paused_since: float | None = None
    paused_seconds: float = 0.0
    unreachable_seconds: float = 0.0
    driver_attempts: int = 0
    driver_failures: int = 0
    """Drivers in a row that died without a trial having ended."""
    driver_job: str = ""
    """Submission id of the Ray job that runs its driver, empty when none does."""
    driver_id: str = ""
    session: str = ""
    heartbeat_at: float | None = None
    reservation_sizes_bytes: tuple[int, ...] = ()
    growths: tuple[TreeGrowth, ...] = ()
    """Told by a probe and by finished trials; predictions use them."""
    next_trial_number: int = 0
    rejections_in_a_row: int = 0
    best_trial: str = ""
    best_score: float | None = None
    model: str = ""
    deployment: str = ""
    error: Failure | None = None
    revision: int = 0


@dataclass(frozen=True)
class Prediction:
    """What a fit is predicted to need; `headgate.v1.Prediction` documents the fields it has."""

    memory_terms: Mapping[str, int]
    cpu_seconds: float
    model_bytes: int
    predict_seconds: float
    phases_bytes: Mapping[str, int] = field(default_factory=dict)
    gpu_memory_bytes: int = 0
    most_bytes: int | None = None
    """What can be proved to be the most, in bytes; None when nothing can."""
    memo_key: str = ""
    """Names the very same fit: equal for fits that differ in nothing that costs memory. Empty for a
    prediction that is not of a search's data."""

    @property
    def peak_memory_bytes(self) -> int:
        """Sum of the memory terms."""
        return sum(self.memory_terms.values())


@dataclass(frozen=True)
class Reservation:
    """What is held in the cluster for a running trial."""

    cpus: int
    gpus: float
    memory_bytes: int


@dataclass(frozen=True)
class Calibration:
    """How a bound was made of a prediction; `headgate.v1.Calibration` documents each field."""

    factor: float
    coverage: float
    fits: int
    source: BoundSource


@dataclass(frozen=True)
class Verdict:
    """What the gate decided; `headgate.v1.Verdict` documents each field."""

    decision: Decision
    prediction: Prediction
    bound_bytes: int
    message: str
    reason: Reason | None = None
    limit: float | None = None
    demand: float | None = None
    limit_unit: str = ""
    fits_with: Mapping[str, Any] | None = None
    reservation: Reservation | None = None
    changes: Mapping[str, Any] | None = None
    replaced: Mapping[str, Any] | None = None
    waits_for: str = ""
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Usage:
    """What a fit really used."""

    peak_memory_bytes: int
    cpu_seconds: float
    wall_seconds: float
    model_bytes: int = 0
    predict_seconds: float = 0.0
    node: str = ""
    enforcement: str = ""
    limit_bytes: int = 0
    libraries: str = ""


@dataclass(frozen=True)
class TrialFailure:
    """Why a trial has no score."""

    kind: FailureKind
    message: str
    traceback: str = ""
    stderr_tail: str = ""
    exit_code: int = 0
    evidence: str = ""


@dataclass(frozen=True)
class Attempt:
    """An attempt that was followed by another one; `headgate.v1.Attempt` documents each field."""

    number: int
    reservation: Reservation | None = None
    usage: Usage | None = None
    failure: TrialFailure | None = None


@dataclass(frozen=True)
class Trial:
    """One candidate of a search."""

    name: str
    search: str
    number: int
    candidate_id: str
    family: str
    parameters: Mapping[str, Any]
    seed: int
    origin: Origin
    state: TrialState
    verdict: Verdict
    created_at: float
    attempts: int = 0
    score: float | None = None
    fold_scores: tuple[float, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    usage: Usage | None = None
    failure: TrialFailure | None = None
    started_at: float | None = None
    ended_at: float | None = None
    history: tuple[Attempt, ...] = ()
    deferred_at: float | None = None
    """Since when a DEFERRED trial waits."""
    revision: int = 0


@dataclass(frozen=True)
class ModelInput:
    """A column that a model wants; `datatype` is the Open Inference Protocol's."""

    name: str
    kind: ColumnKind
    datatype: str


@dataclass(frozen=True)
class Model:
    """A fitted model; `headgate.v1.Model` documents each field."""

    name: str
    search: str
    trial: str
    family: str
    parameters: Mapping[str, Any]
    task: Task
    target_column: str
    classes: tuple[str, ...]
    positive_class: str
    inputs: tuple[ModelInput, ...]
    metric: str
    score: float
    training_rows: int
    bundle_uri: str
    manifest_sha256: str
    bundle_bytes: int
    created_at: float
    revision: int = 0


@dataclass(frozen=True)
class Deployment:
    """A served model; `headgate.v1.Deployment` documents each field."""

    name: str
    model: str
    state: DeploymentState
    version: int
    created_at: float
    updated_at: float
    error: Failure | None = None
    revision: int = 0


Record = Dataset | Search | Trial | Model | Deployment
"""Everything the store keeps under a resource name."""


@dataclass(frozen=True)
class Progress:
    """How much of a search's budget is used; derived from its records and the clock."""

    elapsed_seconds: float
    remaining_seconds: float | None
    paused_seconds: float
    unreachable_seconds: float
    counted_trials: int
    remaining_trials: int | None
    trials_by_state: Mapping[str, int]
    rejections_by_reason: Mapping[str, int]


class DirectiveMode(StrEnum):
    """What a driver must do; `headgate.v1.Directive.Mode` documents each."""

    RUN = "RUN"
    PAUSE = "PAUSE"
    FINISH = "FINISH"
    CANCEL = "CANCEL"


@dataclass(frozen=True)
class Directive:
    """What a driver must do now. spec: only when the driver's revision is behind."""

    mode: DirectiveMode
    spec_revision: int
    spec: SearchSpec | None = None
    remaining_seconds: float | None = None
    remaining_trials: int | None = None
    startable: tuple[Trial, ...] = ()
    most_running: int | None = None


@dataclass(frozen=True)
class NodeReport:
    """What a node's agent measured; `headgate.v1.NodeReport` documents each field."""

    node_id: str
    memory_for_trials_bytes: int
    gpu_memory_bytes: int = 0


@dataclass(frozen=True)
class Candidate:
    """What a driver proposes."""

    candidate_id: str
    family: str
    parameters: Mapping[str, Any]
    seed: int
    origin: Origin


@dataclass(frozen=True)
class TrialEvent:
    """What a driver tells about a trial: RUNNING when its fit began, else its final state."""

    number: int
    attempt: int
    state: TrialState
    score: float | None = None
    fold_scores: tuple[float, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    usage: Usage | None = None
    failure: TrialFailure | None = None
