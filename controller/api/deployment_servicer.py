"""DeploymentService over gRPC."""
# ruff: noqa: D102, N802 -- names and documentation are the proto's

from __future__ import annotations

from google.protobuf import empty_pb2

from controller.api.calls import Threads
from controller.api.convert_deployment import deployment_to_proto
from controller.api.interceptors import Context
from controller.api.pages import fitting_page
from controller.domain.errors import InvalidField, NotImplementedYet
from controller.domain.names import DeploymentName, ModelName, NamespaceName
from controller.domain.records import Deployment
from controller.service.deployments import DeploymentService
from headgate.v1 import deployment_pb2, deployment_service_pb2_grpc
from headgate.v1 import deployment_service_pb2 as pb

UPDATABLE = ("model",)
"""Paths that an update mask may name."""


class DeploymentServicer(deployment_service_pb2_grpc.DeploymentServiceServicer):
    """Converts, calls, converts."""

    def __init__(self, service: DeploymentService, threads: Threads) -> None:
        self._service = service
        self._threads = threads

    async def CreateDeployment(
        self, request: pb.CreateDeploymentRequest, _context: Context
    ) -> deployment_pb2.Deployment:
        _refuse_traffic(request.deployment)
        created = await self._threads.call(
            self._service.create,
            NamespaceName.parse(request.parent),
            request.deployment_id,
            ModelName.parse(request.deployment.model, "deployment.model"),
            request.request_id,
        )
        return self._to_proto(created)

    async def GetDeployment(
        self, request: pb.GetDeploymentRequest, _context: Context
    ) -> deployment_pb2.Deployment:
        name = DeploymentName.parse(request.name)
        return self._to_proto(await self._threads.call(self._service.get, name))

    async def ListDeployments(
        self, request: pb.ListDeploymentsRequest, _context: Context
    ) -> pb.ListDeploymentsResponse:
        parent = NamespaceName.parse(request.parent)
        deployments, token = await fitting_page(
            request.page_size,
            lambda size: self._threads.call(self._service.list, parent, size, request.page_token),
            self._to_proto,
        )
        return pb.ListDeploymentsResponse(deployments=deployments, next_page_token=token)

    async def UpdateDeployment(
        self, request: pb.UpdateDeploymentRequest, _context: Context
    ) -> deployment_pb2.Deployment:
        _refuse_traffic(request.deployment)
        if "traffic" in request.update_mask.paths:
            raise _no_traffic()
        _check_mask(request)
        updated = await self._threads.call(
            self._service.update,
            DeploymentName.parse(request.deployment.name, "deployment.name"),
            ModelName.parse(request.deployment.model, "deployment.model"),
            request.deployment.etag,
        )
        return self._to_proto(updated)

    async def RollbackDeployment(
        self, _request: pb.RollbackDeploymentRequest, _context: Context
    ) -> deployment_pb2.Deployment:
        raise NotImplementedYet(
            "rollback is not implemented yet; update the deployment to the model it had before"
        )

    async def DeleteDeployment(
        self, request: pb.DeleteDeploymentRequest, _context: Context
    ) -> empty_pb2.Empty:
        name = DeploymentName.parse(request.name)
        await self._threads.call(self._service.delete, name, request.etag)
        return empty_pb2.Empty()

    def _to_proto(self, deployment: Deployment) -> deployment_pb2.Deployment:
        return deployment_to_proto(self._service.view(deployment))


def _no_traffic() -> NotImplementedYet:
    return NotImplementedYet(
        "shares of traffic are not implemented yet; leave deployment.traffic empty",
        field="deployment.traffic",
    )


def _refuse_traffic(deployment: deployment_pb2.Deployment) -> None:
    """Raises: NotImplementedYet when shares of the traffic are asked for."""
    if deployment.traffic:
        raise _no_traffic()


def _check_mask(request: pb.UpdateDeploymentRequest) -> None:
    """Raises: InvalidField when the mask is empty or names what cannot change."""
    paths = tuple(request.update_mask.paths)
    unknown = [path for path in paths if path not in UPDATABLE]
    if unknown or not paths:
        found = f"{unknown[0]!r} cannot be changed" if unknown else "it names nothing"
        raise InvalidField("update_mask", found, f"use {', '.join(UPDATABLE)}")
