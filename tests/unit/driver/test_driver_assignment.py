"""Nothing that the controller assigned is lost on its way into jobs, limits and the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import duration_pb2

from headgate.v1 import dataset_pb2, model_pb2, search_pb2, trial_pb2, worker_service_pb2
from workers.data.layout import ColumnInfo
from workers.driver.assignment import (
    PREPARE_BYTES,
    REFIT_FACTOR,
    REFIT_SECONDS,
    Assignment,
    refit_seconds,
)
from workers.driver.cluster import granted_bytes
from workers.driver.leaderboard import Scored
from workers.driver.space import Configuration
from workers.driver.task import FitTask, Reservation, Workplace
from workers.driver.trainable import TrialActor, as_outcome_of_trial, prepare_limits
from workers.families.base import Family
from workers.families.registry import FAMILIES
from workers.trial.job import (
    FitJob,
    Outcome,
    PrepareJob,
    RefitJob,
    RefitResult,
    SandboxLimits,
)

MIB = 1 << 20
SEARCH = "namespaces/team/searches/churn"
HELD = Reservation(cpus=3, gpus=0.5, memory_bytes=700 * MIB)
PARAMETERS = {"max_depth": 5, "learning_rate": 0.25}
RESULT = RefitResult(
    "ab" * 32, 4321, 90, (("age", "NUMBER", "FP64"), ("plan", "CATEGORY", "BYTES"))
)


def seconds(value: float) -> duration_pb2.Duration:
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(int(value * 1e9))
    return duration


def column(name: str, kind: str, distinct: int, missing: int) -> Any:
    return dataset_pb2.ColumnProfile(
        name=name, kind=f"COLUMN_KIND_{kind}", distinct_count=distinct, missing_count=missing
    )


def opened(**changes: Any) -> worker_service_pb2.OpenSessionResponse:
    """A session in which every field has a value of its own."""
    spec = search_pb2.SearchSpec(
        target_column="churned",
        weight_column="weight",
        group_column="customer",
        time_column="month",
        seed=2**31 + 17,
        limits=search_pb2.Limits(cpus_per_trial=3),
    )
    return worker_service_pb2.OpenSessionResponse(
        search=search_pb2.Search(
            name=SEARCH,
            spec=spec,
            task=search_pb2.TASK_BINARY,
            metric="f1",
            classes=["no", "yes"],
            feature_columns=["plan", "age"],
        ),
        dataset=dataset_pb2.Dataset(
            profile=dataset_pb2.DatasetProfile(
                columns=[
                    column("age", "NUMBER", 40, 2),
                    column("plan", "CATEGORY", 3, 0),
                    column("left out", "TEXT", 90, 0),
                ]
            )
        ),
        dataset_uri="file:///store/people.parquet",
        bundle_uri="file:///store/bundle",
        reservation_sizes_bytes=[100 * MIB, 700 * MIB],
        slots=4,
        folds=5,
        **changes,
    )


@pytest.fixture
def assignment() -> Assignment:
    return Assignment(opened(), Path("/work"))


@pytest.fixture
def best() -> Scored:
    usage = trial_pb2.Usage(wall_time=seconds(50.0))
    return Scored(8, Configuration("xgboost", PARAMETERS), 99, HELD, 0.875, usage)


def test_the_data_is_prepared_as_the_spec_says(assignment: Assignment) -> None:
    assert assignment.prepare_job() == PrepareJob(
        search=SEARCH,
        dataset_uri="file:///store/people.parquet",
        columns=(ColumnInfo("plan", "CATEGORY", 3, False), ColumnInfo("age", "NUMBER", 40, True)),
        target_column="churned",
        task="binary",
        classes=("no", "yes"),
        folds=5,
        seed=17,
        directory="/work/searches/team.churn/data",
        weight_column="weight",
        group_column="customer",
        time_column="month",
    )


def test_the_winner_is_fitted_as_its_trial_was(assignment: Assignment, best: Scored) -> None:
    assert assignment.refit_job(best) == RefitJob(
        search=SEARCH,
        number=8,
        family="xgboost",
        parameters=PARAMETERS,
        seed=99,
        cpus=3,
        gpus=0.5,
        directory="/work/searches/team.churn/data",
        bundle_uri="file:///store/bundle",
        description={
            "search": SEARCH,
            "trial": f"{SEARCH}/trials/8",
            "family": "xgboost",
            "parameters": PARAMETERS,
            "task": "binary",
            "target_column": "churned",
            "classes": ["no", "yes"],
            "positive_class": "yes",
            "metric": "f1",
            "score": 0.875,
        },
    )


def test_the_controller_is_told_all_of_the_model(assignment: Assignment, best: Scored) -> None:
    expected = model_pb2.Model(
        trial=f"{SEARCH}/trials/8",
        family="xgboost",
        task=search_pb2.TASK_BINARY,
        target_column="churned",
        classes=["no", "yes"],
        positive_class="yes",
        inputs=[
            model_pb2.ModelInput(name="age", kind="COLUMN_KIND_NUMBER", datatype="FP64"),
            model_pb2.ModelInput(name="plan", kind="COLUMN_KIND_CATEGORY", datatype="BYTES"),
        ],
        metric="f1",
        score=0.875,
        training_rows=90,
        manifest_sha256="ab" * 32,
        bundle_bytes=4321,
    )
    expected.parameters.update(PARAMETERS)
    assert assignment.model(best, RESULT) == expected
    left_to_the_controller = {"name", "search", "bundle_uri", "create_time", "etag"}
    told = {field.name for field, _ in assignment.model(best, RESULT).ListFields()}
    assert told == {f.name for f in model_pb2.Model.DESCRIPTOR.fields} - left_to_the_controller


def test_only_a_binary_task_has_a_positive_class(best: Scored) -> None:
    session = opened()
    session.search.task = search_pb2.TASK_MULTICLASS
    assert Assignment(session, Path("/work")).model(best, RESULT).positive_class == ""


def test_the_sizes_and_cores_are_those_of_the_session(assignment: Assignment) -> None:
    assert assignment.largest == Reservation(3, 0.0, 700 * MIB)
    assert assignment.slots == 4
    assert Assignment(worker_service_pb2.OpenSessionResponse(), Path("/w")).slots == 1


# Encoding


def test_encoding_gets_what_it_needs_however_little_a_trial_has(assignment: Assignment) -> None:
    assert assignment.prepare_limits().memory_bytes == 700 * MIB
    assert assignment.prepare_limits().cpus == 3
    session = opened()
    del session.reservation_sizes_bytes[:]
    session.reservation_sizes_bytes.append(64 * MIB)
    assert Assignment(session, Path("/work")).prepare_limits().memory_bytes == PREPARE_BYTES


@pytest.mark.parametrize(
    ("held", "allowed", "node", "granted"),
    [
        (64, 512, 4096, 512),  # more is held than for a trial
        (64, 512, 300, 300),  # as far as a node has it, and no more is allowed then
        (700, 700, 4096, 700),
        (700, 512, 4096, 700),
        (64, 512, 0, 64),  # no node has told of its memory
    ],
)
def test_what_encoding_may_use_is_held(held: int, allowed: int, node: int, granted: int) -> None:
    limits = SandboxLimits(allowed * MIB, 60.0)
    assert granted_bytes(limits, Reservation(1, 0.0, held * MIB), node * MIB) == granted * MIB


def fit_task(held_bytes: int, gpus: float = 0.0, prepare_bytes: int = 512 * MIB) -> FitTask:
    prepare = PrepareJob(SEARCH, "file:///t", (), "y", "binary", ("a", "b"), 5, 0, "/data")
    place = Workplace("/work", prepare, SandboxLimits(prepare_bytes, 60.0), lambda *_: None)
    job = FitJob(SEARCH, 0, 1, "linear", {}, 0, "f1", 2, "/data")
    return FitTask(job, SandboxLimits(held_bytes, 1.0), Reservation(2, gpus, held_bytes), place)


def test_on_a_further_node_encoding_stays_within_the_trial() -> None:
    assert prepare_limits(fit_task(100 * MIB)) == SandboxLimits(100 * MIB, 60.0)
    assert prepare_limits(fit_task(900 * MIB)) == SandboxLimits(512 * MIB, 60.0)
    told = as_outcome_of_trial(Outcome(kind="MEMORY_EXCEEDED"), "0123456789")
    assert told.kind == "LOST"
    assert (
        "node 01234567 needs more memory than the trial holds; allow a trial more" in told.message
    )
    other = Outcome(kind="CRASHED", message="a bug")
    assert as_outcome_of_trial(other, "0123456789") is other


def test_ray_holds_what_the_sandbox_may_use() -> None:
    placement = TrialActor.default_resource_request({"task": fit_task(100 * MIB)})
    assert placement.bundles == [{"CPU": 2.0, "memory": 100.0 * MIB}]
    placement = TrialActor.default_resource_request({"task": fit_task(100 * MIB, gpus=0.5)})
    assert placement.bundles == [{"CPU": 2.0, "memory": 100.0 * MIB, "GPU": 0.5}]


# Refit


@pytest.mark.parametrize(
    ("trial_seconds", "left", "expected"),
    [
        (1.0, None, REFIT_SECONDS),
        (50.0, None, REFIT_FACTOR * 50.0),
        (50.0, 12.5, 12.5),
        (1.0, 86_400.0, REFIT_SECONDS),
    ],
)
def test_a_refit_ends_with_the_budget_and_a_hang_before(
    assignment: Assignment, best: Scored, trial_seconds: float, left: float | None, expected: float
) -> None:
    best.usage.wall_time.CopyFrom(seconds(trial_seconds))
    best = replace(best, reservation=replace(HELD, gpus=0.0))
    limits = assignment.refit_limits(best, Reservation(2, 0.0, 300 * MIB), left)
    assert limits == SandboxLimits(300 * MIB, expected, cpus=2, has_backstop=True)


def test_a_refit_has_its_familys_backstop(
    assignment: Assignment, best: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    family: Family = FAMILIES["xgboost"]
    monkeypatch.setattr(family, "tolerates_failed_malloc", False, raising=False)
    cpu_only = replace(best, reservation=replace(HELD, gpus=0.0))
    assert not assignment.refit_limits(cpu_only, HELD, None).has_backstop


def test_a_fit_on_a_gpu_has_no_backstop(assignment: Assignment, best: Scored) -> None:
    """A driver maps far more virtual memory than it uses."""
    assert not assignment.refit_limits(best, HELD, None).has_backstop


@pytest.mark.parametrize(
    ("budget", "remaining", "expected"),
    [
        (None, 5.0, None),
        (60.0, 8.0, 18.0),  # at least 10 s more
        (600.0, 20.0, 80.0),  # a tenth more
        (600.0, 0.0, 60.0),
        (60.0, None, 70.0),  # not told yet: not more than all of it
    ],
)
def test_the_refits_share_what_is_left_and_a_little_more(
    budget: float | None, remaining: float | None, expected: float | None
) -> None:
    asked = search_pb2.Budget(time=None if budget is None else seconds(budget))
    assert refit_seconds(asked, remaining) == expected
