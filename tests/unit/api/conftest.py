"""Records with every field filled, so that a converter that forgets one is found out."""

from __future__ import annotations

import pytest

from controller.domain.names import DeploymentName
from controller.domain.records import (
    Attempt,
    BoundSource,
    Budget,
    Calibration,
    Column,
    ColumnKind,
    Dataset,
    Decision,
    Deployment,
    Failure,
    FailureKind,
    Limits,
    Model,
    ModelInput,
    Origin,
    Plan,
    Prediction,
    Progress,
    Reason,
    Reservation,
    Search,
    SearchSpec,
    Space,
    Task,
    Trial,
    TrialFailure,
    Usage,
    ValueCount,
    Verdict,
)
from controller.domain.states import DeploymentState, SearchState, TrialState

SEARCH = "namespaces/default/searches/churn"


@pytest.fixture
def dataset() -> Dataset:
    column = Column(
        name="age",
        kind=ColumnKind.NUMBER,
        missing_count=3,
        distinct_count=7,
        is_distinct_count_capped=True,
        top_values=(ValueCount("41", 5), ValueCount("7", 1)),
        min=0.0,
        max=99.5,
        mean=40.25,
        standard_deviation=1.5,
        is_integer=True,
        mean_length=2.0,
        is_dropped=True,
        note="constant",
    )
    return Dataset(
        name="namespaces/default/datasets/people",
        source="people.csv",
        format="CSV",
        rows=9,
        columns=(column,),
        notes=("one column dropped",),
        uri="file:///tmp/people.parquet",
        stored_bytes=123,
        created_at=1_700_000_000.123456,
    )


@pytest.fixture
def spec() -> SearchSpec:
    return SearchSpec(
        dataset="namespaces/default/datasets/people",
        target_column="churned",
        task=Task.BINARY,
        positive_class="yes",
        excluded_columns=("id",),
        weight_column="weight",
        group_column="household",
        time_column="day",
        metric="roc_auc",
        families=("xgboost", "linear"),
        space=Space(
            families={
                "xgboost": {
                    "max_depth": {"integers": [1, 12, True]},
                    "learning_rate": {"numbers": [0.001, 0.5, True]},
                    "booster": {"choices": ["gbtree", 2, 0.5, None, True]},
                    "n_estimators": {"fixed": 100},
                    "nothing": {"fixed": None},
                }
            },
            pinned=({"family": "linear", "parameters": {"C": 0.5, "n": 3, "dual": False}},),
        ),
        seed=-(2**62),
        budget=Budget(time_seconds=60.5, max_trials=20),
        limits=Limits(
            memory_per_trial_bytes=2**31,
            cpus_per_trial=2,
            gpus_per_trial=0.5,
            time_per_trial_seconds=10.0,
            max_concurrent_trials=3,
            max_model_bytes=2**20,
            max_predict_seconds=0.000_001_5,
        ),
        deploy="churn",
    )


@pytest.fixture
def search(spec: SearchSpec) -> Search:
    plan = Plan(
        task=Task.BINARY,
        metric="roc_auc",
        is_metric_maximized=True,
        classes=("no", "yes"),
        positive_class="yes",
        feature_columns=("age",),
        rows=9,
        folds=5,
        validation="5-fold stratified cross-validation",
        notes=("left out id",),
    )
    return Search(
        name=SEARCH,
        spec=spec,
        plan=plan,
        state=SearchState.FAILED,
        created_at=1_700_000_000.0,
        token_sha256="secret-hash",
        pending_reason="waits for Ray",
        phase="searching",
        started_at=1_700_000_001.0,
        ended_at=1_700_000_002.5,
        driver_attempts=2,
        best_trial=f"{SEARCH}/trials/3",
        best_score=0.0,
        model="namespaces/default/models/churn",
        deployment="namespaces/default/deployments/churn",
        error=Failure("DRIVER_DIED", "the driver died three times"),
    )


@pytest.fixture
def progress() -> Progress:
    return Progress(
        elapsed_seconds=12.5,
        remaining_seconds=47.5,
        paused_seconds=1.0,
        unreachable_seconds=2.0,
        counted_trials=4,
        remaining_trials=16,
        trials_by_state={"SUCCEEDED": 4},
        rejections_by_reason={"EXCEEDS_NODE_MEMORY": 2},
    )


@pytest.fixture
def verdict() -> Verdict:
    return Verdict(
        decision=Decision.REJECTED,
        prediction=Prediction(
            {"trees": 100, "data": 20}, 3.5, 10, 0.000_2, {"fit": 120, "predict": 60}, 4_096
        ),
        bound_bytes=180,
        message="needs 180 bytes",
        reason=Reason.EXCEEDS_NODE_MEMORY,
        limit=150.0,
        demand=180.0,
        limit_unit="bytes",
        fits_with={"max_depth": 3},
        reservation=Reservation(cpus=1, gpus=0.25, memory_bytes=256),
        changes={"max_bin": 64},
        replaced={"max_bin": 256},
        waits_for="trial 2",
        calibration=Calibration(1.25, 0.95, 40, BoundSource.FAMILY),
    )


@pytest.fixture
def usage() -> Usage:
    return Usage(1_000, 2.5, 3.5, 400, 0.000_000_25, "node-1", "watchdog+rlimit", 512, "numpy 1")


@pytest.fixture
def failure() -> TrialFailure:
    return TrialFailure(FailureKind.CRASHED, "it died", "Traceback …", "stderr", -9, "exit")


@pytest.fixture
def trial(verdict: Verdict, usage: Usage, failure: TrialFailure) -> Trial:
    return Trial(
        name=f"{SEARCH}/trials/3",
        search=SEARCH,
        number=3,
        candidate_id="c3",
        family="xgboost",
        parameters={"max_depth": 3, "learning_rate": 0.1, "booster": "gbtree"},
        seed=7,
        origin=Origin.SAMPLED,
        state=TrialState.SUCCEEDED,
        verdict=verdict,
        created_at=1_700_000_000.0,
        attempts=2,
        score=0.0,
        fold_scores=(0.5, 1.0),
        metrics={"accuracy": 0.75},
        usage=usage,
        failure=failure,
        started_at=1_700_000_001.0,
        ended_at=1_700_000_002.0,
        history=(Attempt(1, verdict.reservation, usage, failure),),
    )


@pytest.fixture
def model() -> Model:
    return Model(
        name="namespaces/default/models/churn",
        search=SEARCH,
        trial=f"{SEARCH}/trials/3",
        family="xgboost",
        parameters={"max_depth": 3},
        task=Task.BINARY,
        target_column="churned",
        classes=("no", "yes"),
        positive_class="yes",
        inputs=(ModelInput("age", ColumnKind.NUMBER, "FP64"),),
        metric="roc_auc",
        score=0.875,
        training_rows=9,
        bundle_uri="file:///tmp/bundle",
        manifest_sha256="ab" * 32,
        bundle_bytes=4_096,
        created_at=1_700_000_000.0,
    )


@pytest.fixture
def deployment() -> Deployment:
    return Deployment(
        name=str(DeploymentName("team", "churn")),
        model="namespaces/team/models/churn",
        state=DeploymentState.FAILED,
        version=2,
        created_at=1_700_000_000.0,
        updated_at=1_700_000_001.0,
        error=Failure("LOAD_FAILED", "the bundle is broken"),
    )
