"""Memory hogs on one small node, and two searches that share it: real Ray, real limits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import headgate
from headgate.space_file import read_space
from headgate.v1 import search_pb2, trial_pb2
from loadtests.local_service import LocalService

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

State = search_pb2.Search.State
TrialState = trial_pb2.Trial.State
Verdict = trial_pb2.Verdict
MIB = 1 << 20

HOGS = """
families:
  extra_trees: {n_estimators: {integers: [50, 6000], log: true}, min_samples_leaf: {fixed: 1},
                max_depth: {fixed: null}}
  xgboost: {grow_policy: {fixed: depthwise}, max_depth: {integers: [9, 12]},
            n_estimators: {integers: [20, 60]}, min_child_weight: {fixed: 0.001},
            max_cached_hist_node: {fixed: 65536}}
  hist_gradient_boosting: {max_iter: {integers: [30, 60]}}
pinned:
  - {family: extra_trees, parameters: {n_estimators: 6000}}
  - {family: xgboost, parameters: {max_depth: 12, n_estimators: 20, max_cached_hist_node: 65536,
                                  min_child_weight: 0.001}}
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    directory = tmp_path_factory.mktemp("hogs") / "data"
    with LocalService("--cpus=2", "--memory=300MiB", data_dir=directory) as running:
        yield running


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    X = random.normal(size=(8_000, 30)).round(4)
    y = (np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + random.normal(scale=0.5, size=len(X))) > 0
    path = tmp_path_factory.mktemp("table") / "hogs.csv"
    header = ",".join([*(f"x{i}" for i in range(30)), "y"])
    np.savetxt(path, np.column_stack([X, y]), delimiter=",", header=header, comments="", fmt="%g")
    return path


def test_hogs_are_refused_or_shrunk_and_the_search_ends_well(
    service: LocalService, table: Path, tmp_path: Path
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text(HOGS)
    head = service.ray_session()
    with headgate.connect(service.grpc) as client:
        families = ["extra_trees", "xgboost", "hist_gradient_boosting"]
        search = client.submit(
            table, "y", name="hogs", trials=6, time_seconds=100, families=families,
            space=read_space(space), memory_per_trial_bytes=64 * MIB, seed=3,
        )  # fmt: skip
        final = search.wait()
        trials = search.trials()
    assert final.state == State.SUCCEEDED, final.error.message
    assert head.is_alive
    by_decision = {trial.verdict.decision for trial in trials}
    assert {Verdict.REJECTED, Verdict.SHRUNK} <= by_decision
    for trial in trials:
        if trial.verdict.decision == Verdict.REJECTED:
            assert trial.verdict.reason != Verdict.REASON_UNSPECIFIED
            assert trial.verdict.message
        if trial.verdict.decision == Verdict.SHRUNK:
            assert trial.parameters["max_cached_hist_node"] == 256
            assert trial.verdict.replaced["max_cached_hist_node"] == 65536
        if trial.state == TrialState.SUCCEEDED:
            assert trial.usage.peak_memory_bytes <= trial.usage.limit_bytes
            assert trial.verdict.calibration.coverage == pytest.approx(0.98)
        assert trial.failure.evidence != "node"
        assert trial.failure.kind != trial_pb2.TrialFailure.LOST


def test_two_searches_share_the_node(service: LocalService, table: Path) -> None:
    """Neither waits for the other's end: both have scores from early on."""
    finals: dict[str, search_pb2.Search] = {}

    def run(name: str) -> None:
        with headgate.connect(service.grpc) as client:
            search = client.submit(
                table, "y", name=name, time_seconds=40, families=["hist_gradient_boosting"]
            )
            finals[name] = search.wait()

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: final.state for name, final in finals.items()} == {
        "one": State.SUCCEEDED,
        "two": State.SUCCEEDED,
    }
    counts = [final.progress.counted_trials for final in finals.values()]
    assert min(counts) >= 1
