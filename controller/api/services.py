"""What the API serves: one object for the composition root to fill."""

from __future__ import annotations

from dataclasses import dataclass

from controller.service.datasets import DatasetService
from controller.service.deployments import DeploymentService
from controller.service.driver_logs import DriverLogs
from controller.service.models import ModelService
from controller.service.searches import SearchService
from controller.service.watch import WatchService
from controller.service.worker import WorkerService


@dataclass(frozen=True)
class Services:
    """The services behind the API. Their calls block; the API runs them in threads."""

    datasets: DatasetService
    searches: SearchService
    watch: WatchService
    logs: DriverLogs
    models: ModelService
    deployments: DeploymentService
    worker: WorkerService
