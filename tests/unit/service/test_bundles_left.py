"""A bundle that was written and that nobody wants goes with its search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from controller.adapters.artifacts import FsArtifacts
from controller.domain.names import SearchName
from controller.domain.records import Candidate, Model, Task, TrialEvent
from controller.domain.states import TrialState
from controller.service.searches import SearchService
from controller.service.views import Assignment, FinishedCancelled, FinishedWithModel
from controller.service.worker import WorkerService

Create = Callable[..., SearchName]
Drive = Callable[..., tuple[str, Assignment]]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    made = tmp_path / "manifest.json"
    made.write_text("{}")
    return made


def test_a_cancelled_search_takes_its_bundle_along(
    worker: WorkerService,
    searches: SearchService,
    artifacts: FsArtifacts,
    create: Create,
    drive: Drive,
    written: Path,
) -> None:
    name, other = create("s"), create("s-2")
    secret, opened = drive(name, "d1")
    _, beside = drive(other, "d2")
    for uri in (opened.bundle_uri, beside.bundle_uri):
        artifacts.put_file(written, f"{uri}/manifest.json")
    searches.cancel(name)
    worker.finish(secret, opened.session, FinishedCancelled())
    searches.delete(name)
    assert artifacts.list_files(opened.bundle_uri) == []
    assert artifacts.list_files(beside.bundle_uri) == ["manifest.json"]


def test_the_bundle_of_a_model_stays(
    worker: WorkerService,
    searches: SearchService,
    artifacts: FsArtifacts,
    create: Create,
    drive: Drive,
    candidates: Callable[..., list[Candidate]],
    written: Path,
) -> None:
    name = create("s")
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(1))
    scored = TrialEvent(0, 1, TrialState.SUCCEEDED, score=0.9)
    worker.report(secret, opened.session, [scored])
    searches.stop(name)
    artifacts.put_file(written, f"{opened.bundle_uri}/manifest.json")
    model = Model(
        "", "", f"{name}/trials/0", "linear", {}, Task.BINARY, "label", ("no", "yes"), "yes", (),
        "roc_auc", 0.9, 1000, "", "ab" * 32, 10, 0.0,
    )  # fmt: skip
    worker.finish(secret, opened.session, FinishedWithModel(model))
    searches.delete(name)
    assert artifacts.list_files(opened.bundle_uri) == ["manifest.json"]
