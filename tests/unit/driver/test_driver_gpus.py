"""A trial that holds a share of a GPU: its job knows, its sandbox sees the device of its actor."""

from __future__ import annotations

from typing import Any

import pytest
import ray

from tests.unit.driver.fake_controller import SEARCH
from tests.unit.driver.test_driver_results import PLACE
from workers.driver.cluster import with_gpus
from workers.driver.control import Control
from workers.driver.packer import TaskPacker
from workers.driver.space import Configuration
from workers.driver.task import Reservation, Task
from workers.trial.job import SandboxLimits


@pytest.mark.parametrize("gpus", [0.0, 0.25])
def test_the_job_knows_its_share(gpus: float) -> None:
    chosen: Any = Configuration("xgboost", {})
    task = Task(1, 1, chosen, 0, Reservation(2, gpus, 1 << 30))
    packed = TaskPacker(SEARCH, "roc_auc", PLACE, Control())(task)
    assert packed.job.gpus == gpus
    assert packed.limits.has_backstop == (gpus == 0.0), "a device's driver maps address space"


@pytest.mark.parametrize(("held", "seen"), [([], ""), ([1, 3], "1,3"), (["GPU-a"], "GPU-a")])
def test_the_sandbox_sees_what_ray_gave_the_worker(
    monkeypatch: pytest.MonkeyPatch, held: list[Any], seen: str
) -> None:
    monkeypatch.setattr(ray, "get_gpu_ids", lambda: held)
    assert with_gpus(SandboxLimits(1, 1.0)).gpu == seen
