"""The driver as its job runs it: real Ray, real agent, real fits, a scripted controller."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray

from headgate.v1 import dataset_pb2, search_pb2, trial_pb2, worker_service_pb2
from tests.ray.ray_start import start_ray
from tests.unit.driver.fake_controller import (
    SEARCH,
    TOKEN,
    FakeController,
    Trial,
    admitted,
    rejected,
    serving,
)
from workers.bundle.load import load_bundle
from workers.sandbox.agent import RAY_NAMESPACE, agent_name

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

Directive = worker_service_pb2.Directive
ROWS = 300
SMALL, LARGE = 192 << 20, 384 << 20


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A Ray of its own; gives its address."""
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory(prefix="hg", dir="/tmp") as directory,  # sockets: short paths
    ):
        patch.setenv("RAY_AUTH_MODE", "disabled")
        context = start_ray(directory, _memory=2 << 30)
        yield str(context.address_info["address"])
        ray.shutdown()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    x = draw.normal(size=ROWS)
    z = draw.choice(["red", "green", "blue"], size=ROWS)
    y = np.where(x + (z == "red") + draw.normal(scale=0.5, size=ROWS) > 0, "yes", "no")
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"x": x, "z": z, "y": y}), path)
    return path


def controller(table: Path, tmp_path: Path, **kwargs: Any) -> FakeController:
    """A small binary search on `table`."""
    fake = FakeController(
        dataset_uri=table.as_uri(),
        bundle_uri=(tmp_path / "bundle").as_uri(),
        folds=2,
        **kwargs,
    )
    fake.opened.dataset.profile.columns.extend(
        dataset_pb2.ColumnProfile(name=name, kind=f"COLUMN_KIND_{what}",
                                  distinct_count=count)
        for name, what, count in (("x", "NUMBER", ROWS), ("z", "CATEGORY", 3), ("y", "CATEGORY", 2))
    )  # fmt: skip
    search = fake.opened.search
    search.task = search_pb2.TASK_BINARY
    search.classes.extend(["no", "yes"])
    search.feature_columns.extend(["x", "z"])
    search.spec.target_column = "y"
    fake.opened.slots = 2
    del fake.opened.reservation_sizes_bytes[:]
    fake.opened.reservation_sizes_bytes.extend([SMALL, LARGE])
    return fake


@contextmanager
def driver(cluster: str, server: str, work_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m workers.driver`, as the job runs it."""
    environment = {
        **os.environ,
        "RAY_ADDRESS": cluster,
        "HEADGATE_CONTROLLER": server,
        "HEADGATE_SEARCH": SEARCH,
        "HEADGATE_SEARCH_TOKEN": TOKEN,
        "HEADGATE_WORK_DIR": str(work_dir),
    }
    log = work_dir / "driver.log"
    with log.open("a") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.driver"],
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        print(log.read_text())


@pytest.fixture
def work_dir(cluster: str, tmp_path: Path) -> Iterator[Path]:
    """A directory for Headgate with an agent of its own, which ends with the test."""
    yield tmp_path
    node_id = ray.get_runtime_context().get_node_id()
    ray.kill(ray.get_actor(agent_name(node_id, str(tmp_path)), namespace=RAY_NAMESPACE))


def test_a_search_with_a_rejection_and_a_pause_ends_with_a_model(
    cluster: str, table: Path, work_dir: Path
) -> None:
    def gate(candidate: worker_service_pb2.Candidate) -> trial_pb2.Verdict:
        if candidate.family == "knn":
            return rejected()
        return admitted(memory_bytes=LARGE if candidate.family == "random_forest" else SMALL)

    probed = ["random_forest", "extra_trees"]
    fake = controller(table, work_dir, gate=gate, probe_families=probed)
    fake.spec.budget.max_trials = 6
    with serving(fake) as server, driver(cluster, server, work_dir) as process:
        fake.wait_for(lambda: fake.count(Trial.SUCCEEDED) >= 2)
        fake.order(Directive.PAUSE)
        fake.wait_for(lambda: "paused" in fake.phases)
        assert fake.count(Trial.RUNNING) == 0
        before = fake.count(Trial.SUCCEEDED)
        assert before < 6
        fake.order(Directive.RUN)
        fake.wait_for(lambda: fake.count(Trial.SUCCEEDED) == 6)
        process.wait(timeout=60)
    assert process.returncode == 0
    assert fake.count(Trial.REJECTED) >= 1
    assert {growth.family for growth in fake.growths} == set(probed)
    assert all(0 < growth.nodes_per_row <= 2 for growth in fake.growths)
    assert fake.finished is not None
    model = fake.finished.model
    best = max((t for t in fake.trials if t.state == Trial.SUCCEEDED), key=lambda t: t.score)
    assert (model.family, model.score) == (best.family, best.score)
    assert [each.name for each in model.inputs] == ["x", "z"]
    assert model.training_rows == ROWS
    bundle = load_bundle((work_dir / "bundle").as_uri(), model.manifest_sha256)
    assert bundle.predict_columns({"x": [3.0, -3.0], "z": ["red", "blue"]}).labels == ["yes", "no"]
    assert not (work_dir / "searches" / "default.demo" / "tune").exists()
    assert not (work_dir / "searches" / "default.demo" / "data").exists()
    assert "knn rejected" in (work_dir / "driver.log").read_text()


def test_a_killed_driver_is_followed_by_one_that_loses_nothing(
    cluster: str, table: Path, work_dir: Path
) -> None:
    fake = controller(table, work_dir)
    fake.spec.budget.max_trials = 4
    fake.spec.families.extend(["linear", "knn"])
    with serving(fake) as server:
        with driver(cluster, server, work_dir) as first:
            fake.wait_for(lambda: fake.count(Trial.SUCCEEDED) >= 1)
            first.send_signal(signal.SIGKILL)
            first.wait()
        with driver(cluster, server, work_dir) as second:
            second.wait(timeout=120)
    assert second.returncode == 0
    assert fake.states() == ["SUCCEEDED"] * 4
    assert fake.finished is not None
    assert fake.finished.HasField("model")


def test_cancelling_ends_running_fits_and_keeps_no_model(
    cluster: str, table: Path, work_dir: Path
) -> None:
    fake = controller(table, work_dir)
    with serving(fake) as server, driver(cluster, server, work_dir) as process:
        fake.wait_for(lambda: fake.count(Trial.SUCCEEDED) >= 1)
        fake.order(Directive.CANCEL)
        process.wait(timeout=60)
    assert process.returncode == 0
    assert fake.finished is not None
    assert fake.finished.cancelled
    assert fake.count(Trial.RUNNING, Trial.ADMITTED) == 0
