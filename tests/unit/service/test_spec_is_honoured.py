"""What was asked for holds: limits of the model, cores of a trial, the format of a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.adapters.artifacts import FsArtifacts
from controller.adapters.fake_clock import FakeClock
from controller.domain.errors import InvalidArgument, InvalidField
from controller.domain.names import SearchName
from controller.domain.records import (
    Candidate,
    FailureKind,
    Limits,
    SearchSpec,
    Shrink,
    Trial,
    TrialEvent,
    TrialFailure,
    Usage,
)
from controller.domain.states import TrialState
from controller.ports.metrics import NoMetrics
from controller.ports.store import Store
from controller.reader.request import ReadRequest, ReadResult, TableFormat
from controller.service.datasets import DatasetService, Upload
from controller.service.paging import Pager
from controller.service.requests import RequestMemory
from controller.service.searches import SearchService
from controller.service.views import Assignment
from controller.service.worker import WorkerService
from tests.unit.service.conftest import PARENT

Create = Callable[..., SearchName]
Drive = Callable[..., tuple[str, Assignment]]
Candidates = Callable[..., list[Candidate]]


def ended(number: int, score: float, model_bytes: int, predict_seconds: float) -> TrialEvent:
    usage = Usage(1 << 20, 1.0, 2.0, model_bytes=model_bytes, predict_seconds=predict_seconds)
    return TrialEvent(number, 1, TrialState.SUCCEEDED, score, usage=usage)


@pytest.mark.parametrize(
    "limits", [Limits(max_model_bytes=1_000_000), Limits(max_predict_seconds=0.5)]
)
def test_a_trial_whose_model_breaks_a_limit_is_not_the_best(
    worker: WorkerService,
    searches: SearchService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
    limits: Limits,
) -> None:
    name = create(limits=limits)
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(3))
    worker.report(secret, opened.session, [ended(0, 0.9, 1_000_001, 0.51)])
    search = searches.get(name).search
    assert (search.best_trial, search.best_score) == ("", None)
    worker.report(secret, opened.session, [ended(1, 0.6, 1_000_000, 0.5)])
    worker.report(secret, opened.session, [ended(2, 0.8, 2_000_000, 0.9)])
    search = searches.get(name).search
    assert (search.best_trial, search.best_score) == (f"{name}/trials/1", 0.6)


class Ends(NoMetrics):
    def __init__(self) -> None:
        self.trials: list[Trial] = []

    def trial_ended(self, trial: Trial) -> None:
        self.trials.append(trial)


def test_every_end_is_counted_once(
    worker: WorkerService,
    create: Create,
    drive: Drive,
    candidates: Candidates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ends = Ends()
    monkeypatch.setattr(worker, "_metrics", ends)
    secret, opened = drive(create())
    worker.admit(secret, opened.session, candidates(2))
    failure = TrialFailure(FailureKind.CRASHED, "it broke")
    broken = TrialEvent(1, 1, TrialState.FAILED, failure=failure)
    for _ in range(2):  # a report that is sent again changes nothing
        worker.report(secret, opened.session, [ended(0, 0.5, 1, 0.1), broken])
    told = [(trial.number, trial.state) for trial in ends.trials]
    assert told == [(0, TrialState.SUCCEEDED), (1, TrialState.FAILED)]


def test_the_cores_of_a_trial_do_not_change(
    searches: SearchService, create: Create, spec: SearchSpec
) -> None:
    name = create(limits=Limits(cpus_per_trial=2))
    wanted = Limits(
        memory_per_trial_bytes=1 << 30,
        cpus_per_trial=3,
        time_per_trial_seconds=7.0,
        max_concurrent_trials=2,
        max_model_bytes=1 << 20,
        max_predict_seconds=0.25,
        shrink=Shrink.ANY,
    )
    asked = replace(spec, limits=replace(wanted, gpus_per_trial=0.5))
    changed = searches.update(name, asked, ("spec.limits",)).search
    assert changed.spec.limits == replace(wanted, cpus_per_trial=2, gpus_per_trial=0.0)
    for path in ("spec.limits.cpus_per_trial", "spec.limits.gpus_per_trial"):
        with pytest.raises(InvalidField, match="cannot be changed"):
            searches.update(name, asked, (path,))


def test_unknown_families_are_refused_in_an_update_too(
    searches: SearchService, create: Create, spec: SearchSpec
) -> None:
    name = create()
    with pytest.raises(InvalidArgument, match="xgbost"):
        searches.update(name, replace(spec, families=("xgbost",)), ("spec.families",))
    assert searches.get(name).search.spec.families == ()


class AskedReader:
    """Refuses everything, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[ReadRequest] = []

    def read(self, request: ReadRequest) -> ReadResult:
        self.asked.append(request)
        raise NotImplementedError


@pytest.mark.parametrize("asked", ["", "CSV", "PARQUET", "ARROW", "JSON_LINES"])
def test_the_format_that_was_asked_for_is_how_the_file_is_read(
    store: Store, artifacts: FsArtifacts, clock: FakeClock, tmp_path: Path, asked: str
) -> None:
    reader = AskedReader()
    service = DatasetService(
        store,
        artifacts,
        reader,
        Pager(b"0123456789abcdef"),
        RequestMemory(clock, NoMetrics()),
        clock,
        tmp_path / "scratch",
        1 << 30,
    )
    path = tmp_path / "uploaded"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(NotImplementedError):
        service.create(PARENT, "d", "", asked, Upload("table.csv", path))
    (request,) = reader.asked
    assert request.format is TableFormat(asked)
    assert request.name == "table.csv"
