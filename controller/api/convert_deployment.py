"""Converts deployments between the domain and `headgate.v1`."""

from __future__ import annotations

from controller.api.convert import failure_to_status, to_timestamp
from controller.service.deployments import DeploymentView
from controller.service.etag import etag
from headgate.v1 import deployment_pb2 as pb


def deployment_to_proto(view: DeploymentView) -> pb.Deployment:
    """The resource as users see it, with the addresses that answer for it."""
    deployment = view.deployment
    return pb.Deployment(
        name=deployment.name,
        model=deployment.model,
        state=deployment.state.value,
        inference_name=view.inference_name,
        version=deployment.version,
        inference_http=view.inference_http,
        inference_grpc=view.inference_grpc,
        error=failure_to_status(deployment.error),
        create_time=to_timestamp(deployment.created_at),
        update_time=to_timestamp(deployment.updated_at),
        etag=etag(deployment),
    )
