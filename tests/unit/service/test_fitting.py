"""A search that was accepted while no node was known, and then fits nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.domain.errors import NothingFits
from controller.domain.names import SearchName
from controller.domain.records import (
    Candidate,
    DirectiveMode,
    Limits,
    Search,
    SearchSpec,
    TrialEvent,
    Usage,
)
from controller.domain.states import SearchState, TrialState
from controller.ports.cluster import Node
from controller.ports.store import Store
from controller.service.cluster_view import ClusterView
from controller.service.searches import SearchService
from controller.service.views import Assignment, FinishedCancelled
from controller.service.worker import WorkerService
from tests.unit.service.conftest import GIB, NODE

Drive = Callable[..., tuple[str, Assignment]]
MIB = 1 << 20
TINY = Node("tiny", 2.0, 0.0, 1 * MIB)


def stored(store: Store, name: SearchName) -> Search:
    with store.transaction() as tx:
        search = tx.get(Search, str(name))
    assert search is not None
    return search


@pytest.fixture
def cluster_view() -> ClusterView:
    return ClusterView()  # nobody has seen a node yet


@pytest.mark.parametrize(
    ("node", "limits", "reason"),
    [
        (TINY, Limits(), "EXCEEDS_NODE_MEMORY"),
        (NODE, Limits(cpus_per_trial=64), "NO_SUCH_RESOURCE"),
        (NODE, Limits(gpus_per_trial=1.0), "NO_SUCH_RESOURCE"),
    ],
)
def test_it_fails_with_the_reason_as_soon_as_a_driver_begins(
    worker: WorkerService,
    store: Store,
    cluster_view: ClusterView,
    create: Callable[..., SearchName],
    drive: Drive,
    token: Callable[[SearchName], str],
    node: Node,
    limits: Limits,
    reason: str,
) -> None:
    name = create(limits=limits)
    secret = token(name)
    cluster_view.saw((node,))
    opened = drive(name)[1]
    search = stored(store, name)
    assert search.state is SearchState.FAILED
    assert search.error is not None
    assert search.error.reason == "NOTHING_FITS"
    assert reason in search.error.message
    assert opened.directive.mode is DirectiveMode.CANCEL
    worker.finish(secret, opened.session, FinishedCancelled())  # as the driver does then
    assert stored(store, name).error == search.error


def test_it_goes_on_where_it_fits(
    store: Store, cluster_view: ClusterView, create: Callable[..., SearchName], drive: Drive
) -> None:
    name = create()
    cluster_view.saw((NODE,))
    _, opened = drive(name)
    assert opened.directive.mode is DirectiveMode.RUN
    assert opened.reservation_sizes_bytes == stored(store, name).reservation_sizes_bytes
    assert opened.reservation_sizes_bytes
    assert stored(store, name).state is SearchState.RUNNING


def test_a_paused_search_fails_too(
    searches: SearchService,
    store: Store,
    cluster_view: ClusterView,
    create: Callable[..., SearchName],
    drive: Drive,
) -> None:
    name = create()
    searches.pause(name)
    cluster_view.saw((TINY,))
    drive(name)
    assert stored(store, name).state is SearchState.FAILED


def test_what_has_a_best_trial_keeps_its_sizes(
    worker: WorkerService,
    store: Store,
    cluster_view: ClusterView,
    create: Callable[..., SearchName],
    drive: Drive,
    candidates: Callable[..., list[Candidate]],
) -> None:
    name = create()
    cluster_view.saw((NODE,))
    secret, opened = drive(name)
    worker.admit(secret, opened.session, candidates(1))
    usage = Usage(10 * MIB, 1.0, 1.0)
    event = TrialEvent(0, 1, TrialState.SUCCEEDED, score=0.9, usage=usage)
    worker.report(secret, opened.session, [event])
    cluster_view.saw((TINY,))
    _, again = drive(name, "driver-2")
    assert again.reservation_sizes_bytes == opened.reservation_sizes_bytes
    assert stored(store, name).state is SearchState.RUNNING


def test_an_update_that_leaves_no_size_is_refused(
    searches: SearchService,
    store: Store,
    cluster_view: ClusterView,
    create: Callable[..., SearchName],
    drive: Drive,
    spec: SearchSpec,
) -> None:
    cluster_view.saw((replace(NODE, memory_bytes=4 * GIB),))
    name = create()
    drive(name)
    before = stored(store, name)
    little = replace(spec, families=("linear",), limits=Limits(memory_per_trial_bytes=64 * MIB))
    wide = replace(before.plan, rows=50_000_000)
    with store.transaction() as tx:
        tx.put(replace(before, plan=wide))
    with pytest.raises(NothingFits, match="EXCEEDS_TRIAL_LIMIT"):
        searches.update(name, little, ("spec.limits.memory_per_trial_bytes",))
    assert stored(store, name).spec == before.spec
