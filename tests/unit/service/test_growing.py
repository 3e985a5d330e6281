"""What searches learn of their data: when a probe is asked for, what it and trials change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.domain.errors import InvalidField, SessionSuperseded
from controller.domain.names import SearchName
from controller.domain.records import (
    Candidate,
    Dataset,
    Search,
    TreeGrowth,
    Trial,
    TrialEvent,
    Usage,
)
from controller.domain.states import TrialState
from controller.ports.store import Store
from controller.service.catalog import FamilyCatalog
from controller.service.cluster_view import ClusterView
from controller.service.growing import FIRST_GROWTHS, NEWEST_GROWTHS, with_growths
from controller.service.views import Assignment, FinishedWithError
from controller.service.worker import WorkerService

Create = Callable[..., SearchName]
Drive = Callable[..., tuple[str, Assignment]]
Candidates = Callable[..., list[Candidate]]
SMALL = (TreeGrowth("random_forest", 1, 0.3, 0.001), TreeGrowth("random_forest", 32, 0.3, 0.001))


@pytest.fixture
def large(dataset: Dataset, store: Store) -> Dataset:
    """So many rows that a default forest may be large for the node of 4 GiB."""
    with store.transaction() as tx:
        return tx.put(replace(dataset, rows=500_000))


def stored(store: Store, name: SearchName) -> Search:
    with store.transaction() as tx:
        found = tx.get(Search, str(name))
    assert found is not None
    return found


def forest_bytes(worker: WorkerService, secret: str, session: str, asked: list[Candidate]) -> int:
    ((trial,), _) = worker.admit(secret, session, asked)
    return trial.verdict.prediction.peak_memory_bytes


def test_a_probe_is_asked_for_where_a_default_may_be_large(
    create: Create, drive: Drive, large: Dataset
) -> None:
    _, opened = drive(create(families=("random_forest", "linear", "extra_trees")))
    assert opened.probe_families == ("random_forest", "extra_trees")


def test_small_data_and_other_families_need_no_probe(create: Create, drive: Drive) -> None:
    assert drive(create("small", families=("random_forest",)))[1].probe_families == ()


def test_other_families_are_never_probed(create: Create, drive: Drive, large: Dataset) -> None:
    assert drive(create("line", families=("linear", "xgboost")))[1].probe_families == ()


def test_a_probe_changes_predictions_and_sizes_and_outlives_the_driver(
    create: Create, drive: Drive, large: Dataset, worker: WorkerService, store: Store,
    candidates: Candidates,
) -> None:  # fmt: skip
    name = create(families=("random_forest",))
    secret, opened = drive(name)
    before = forest_bytes(worker, secret, opened.session, candidates(1, "a", "random_forest"))
    sizes = worker.report_probe(secret, opened.session, SMALL)
    after = forest_bytes(worker, secret, opened.session, candidates(1, "b", "random_forest"))
    assert after < before / 10
    assert max(sizes) < max(opened.reservation_sizes_bytes) / 2
    assert stored(store, name).reservation_sizes_bytes == sizes
    again = worker.open_session(secret, str(name), "driver-2")
    assert again.probe_families == (), "it is known by now"
    assert again.reservation_sizes_bytes == sizes


def test_trees_that_grew_large_are_not_probed_again(
    create: Create, drive: Drive, large: Dataset, worker: WorkerService
) -> None:
    name = create(families=("random_forest",))
    secret, opened = drive(name)
    worker.report_probe(secret, opened.session, (TreeGrowth("random_forest", 1, 0.3, 1.2),))
    assert worker.open_session(secret, str(name), "driver-2").probe_families == ()


def test_a_repeated_report_changes_nothing(
    create: Create, drive: Drive, large: Dataset, worker: WorkerService, store: Store
) -> None:
    name = create(families=("random_forest",))
    secret, opened = drive(name)
    sizes = worker.report_probe(secret, opened.session, SMALL)
    once = stored(store, name)
    assert worker.report_probe(secret, opened.session, SMALL) == sizes
    assert stored(store, name) == once


def test_who_may_report_and_what(
    create: Create, drive: Drive, worker: WorkerService, store: Store
) -> None:
    name = create()
    secret, opened = drive(name)
    for family in ("linear", "nonsense"):
        with pytest.raises(InvalidField, match="grows no trees"):
            worker.report_probe(secret, opened.session, (TreeGrowth(family, 1, 0.5, 0.1),))
    worker.open_session(secret, str(name), "driver-2")
    with pytest.raises(SessionSuperseded):
        worker.report_probe(secret, opened.session, SMALL)
    assert stored(store, name).growths == ()


def test_a_search_that_has_ended_learns_no_more(
    create: Create, drive: Drive, worker: WorkerService, store: Store
) -> None:
    name = create()
    secret, opened = drive(name)
    worker.finish(secret, opened.session, FinishedWithError("no"))
    before = stored(store, name)
    worker.report_probe(secret, opened.session, SMALL)
    assert stored(store, name) == before


def test_finished_forests_teach_and_others_do_not(
    create: Create, drive: Drive, worker: WorkerService, store: Store, candidates: Candidates,
    catalog: FamilyCatalog, cluster_view: ClusterView,
) -> None:  # fmt: skip
    name = create()
    secret, opened = drive(name)
    asked = [*candidates(2, "f", "random_forest"), *candidates(1, "l", "linear")]
    trials, _ = worker.admit(secret, opened.session, asked)
    tenth = trials[0].verdict.prediction.model_bytes // 4
    worker.report(secret, opened.session, [ended(trials[2], tenth)])
    assert stored(store, name).growths == ()
    failed = replace(ended(trials[1], tenth), state=TrialState.FAILED, score=None)
    worker.report(secret, opened.session, [failed])
    assert stored(store, name).growths == ()
    worker.report(secret, opened.session, [ended(trials[0], tenth)])
    (growth,) = stored(store, name).growths
    assert (growth.family, growth.leaf) == ("random_forest", 1)
    ((later,), _) = worker.admit(secret, opened.session, candidates(1, "g", "random_forest"))
    assert later.verdict.prediction.model_bytes == pytest.approx(tenth, rel=0.02)


def ended(trial: Trial, model_bytes: int) -> TrialEvent:
    usage = Usage(50 << 20, 1.0, 1.0, model_bytes=model_bytes)
    return TrialEvent(trial.number, 1, TrialState.SUCCEEDED, 0.5, (0.5,), {}, usage)


def test_the_first_and_the_newest_growths_are_kept(create: Create, store: Store) -> None:
    search = stored(store, create())
    for leaf in range(1, 60):
        search = with_growths(search, (TreeGrowth("extra_trees", leaf, 0.5, 0.1),))
    search = with_growths(search, (TreeGrowth("random_forest", 1, 0.5, 0.1),))
    leaves = [each.leaf for each in search.growths if each.family == "extra_trees"]
    assert leaves[:FIRST_GROWTHS] == list(range(1, FIRST_GROWTHS + 1))
    assert leaves[FIRST_GROWTHS:] == list(range(60 - NEWEST_GROWTHS, 60))
    assert search.growths[-1].family == "random_forest"
    newer = with_growths(search, (TreeGrowth("extra_trees", 2, 0.5, 0.3),))
    assert [g.nodes_per_row for g in newer.growths if g.leaf == 2] == [0.3]
    assert len(newer.growths) == len(search.growths)
