"""DeploymentService and ModelService over the wire."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import uuid
from pathlib import Path
from typing import Any

import grpc
import pytest

from controller.domain.records import Model, Task
from controller.in_process import InProcessController
from headgate.v1 import deployment_pb2, model_service_pb2
from headgate.v1 import deployment_service_pb2 as pb
from tests.api.wire import PARENT, Refuses, Stubs

CONTENT = bytes(range(256)) * 12_000  # three pieces of at most 1 MiB


def put_bundle(controller: InProcessController, tmp_path: Path, uri: str) -> str:
    """Writes a bundle of one file; returns its manifest's checksum."""
    entry = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "bytes": len(CONTENT)}
    manifest = json.dumps({"bundle_version": 1, "files": {"model.bin": entry}}).encode()
    for name, content in (("model.bin", CONTENT), ("manifest.json", manifest)):
        path = tmp_path / name
        path.write_bytes(content)
        controller.artifacts.put_file(path, f"{uri}/{name}")
    return hashlib.sha256(manifest).hexdigest()


@pytest.fixture
def model(controller: InProcessController, tmp_path: Path) -> Model:
    uri = controller.artifacts.uri("models", "default", "churn")
    model = Model(
        name=f"{PARENT}/models/churn",
        search=f"{PARENT}/searches/churn",
        trial=f"{PARENT}/searches/churn/trials/0",
        family="linear",
        parameters={},
        task=Task.REGRESSION,
        target_column="y",
        classes=(),
        positive_class="",
        inputs=(),
        metric="rmse",
        score=1.0,
        training_rows=10,
        bundle_uri=uri,
        manifest_sha256=put_bundle(controller, tmp_path, uri),
        bundle_bytes=len(CONTENT),
        created_at=1_700_000_000.0,
    )
    with controller.store.transaction() as tx:
        return tx.put(model)


def request(model: str, deployment_id: str = "churn", request_id: str = "") -> Any:
    return pb.CreateDeploymentRequest(
        parent=PARENT,
        deployment_id=deployment_id,
        deployment=deployment_pb2.Deployment(model=model),
        request_id=request_id,
    )


@pytest.fixture
def deployment(stubs: Stubs, model: Model) -> deployment_pb2.Deployment:
    made: deployment_pb2.Deployment = stubs.deployments.CreateDeployment(request(model.name))
    return made


def test_a_deployment_is_created_read_listed_deleted(
    stubs: Stubs, deployment: deployment_pb2.Deployment, refused: Refuses
) -> None:
    assert deployment.state == deployment_pb2.Deployment.PENDING
    assert (deployment.inference_name, deployment.version) == ("churn", 1)
    assert deployment.inference_http.startswith("http://")
    assert deployment.inference_grpc
    name = deployment.name
    assert stubs.deployments.GetDeployment(pb.GetDeploymentRequest(name=name)) == deployment
    listed = stubs.deployments.ListDeployments(pb.ListDeploymentsRequest(parent=PARENT))
    assert list(listed.deployments) == [deployment]
    stale = refused(
        stubs.deployments.DeleteDeployment, pb.DeleteDeploymentRequest(name=name, etag="stale")
    )
    assert stale.code is grpc.StatusCode.ABORTED
    stubs.deployments.DeleteDeployment(pb.DeleteDeploymentRequest(name=name))
    deleting = stubs.deployments.GetDeployment(pb.GetDeploymentRequest(name=name))
    assert deleting.state == deployment_pb2.Deployment.DELETING


def test_the_same_request_id_gives_the_first_deployment(stubs: Stubs, model: Model) -> None:
    asked = request(model.name, request_id=str(uuid.uuid4()))
    first = stubs.deployments.CreateDeployment(asked)
    assert stubs.deployments.CreateDeployment(asked) == first


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        (request("churn"), grpc.StatusCode.INVALID_ARGUMENT, "deployment.model"),
        (request(f"{PARENT}/models/none"), grpc.StatusCode.NOT_FOUND, ""),
        (
            request(f"{PARENT}/models/churn", "NOT AN ID"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "deployment_id",
        ),
        (request(f"{PARENT}/models/churn", ""), grpc.StatusCode.INVALID_ARGUMENT, "deployment_id"),
    ],
)
def test_bad_deployments_are_refused(
    stubs: Stubs, model: Model, refused: Refuses, asked: Any, code: grpc.StatusCode, field: str
) -> None:
    refusal = refused(stubs.deployments.CreateDeployment, asked)
    assert (refusal.code, refusal.fields) == (code, (field,) if field else ())


def test_an_update_needs_a_mask_that_names_the_model(
    stubs: Stubs, deployment: deployment_pb2.Deployment, refused: Refuses
) -> None:
    asked = pb.UpdateDeploymentRequest(deployment=deployment)
    for paths in ([], ["version"]):
        asked.update_mask.paths[:] = paths
        refusal = refused(stubs.deployments.UpdateDeployment, asked)
        assert refusal.fields == ("update_mask",)
    asked.update_mask.paths[:] = ["model"]
    assert stubs.deployments.UpdateDeployment(asked).model == deployment.model
    asked.deployment.etag = "stale"
    refusal = refused(stubs.deployments.UpdateDeployment, asked)
    assert refusal.code is grpc.StatusCode.ABORTED


def test_traffic_and_rollback_say_that_they_are_not_there_yet(
    stubs: Stubs, deployment: deployment_pb2.Deployment, refused: Refuses
) -> None:
    created = request(deployment.model, "other")
    created.deployment.traffic.add(version=1, weight=1)
    updated = pb.UpdateDeploymentRequest(deployment=deployment)
    updated.update_mask.paths.append("traffic")
    for call, asked in (
        (stubs.deployments.CreateDeployment, created),
        (stubs.deployments.UpdateDeployment, updated),
        (
            stubs.deployments.RollbackDeployment,
            pb.RollbackDeploymentRequest(name=deployment.name),
        ),
    ):
        refusal = refused(call, asked)
        assert refusal.code is grpc.StatusCode.UNIMPLEMENTED
        assert "not implemented yet" in refusal.message


def test_models_are_read_and_listed(stubs: Stubs, model: Model, refused: Refuses) -> None:
    shown = stubs.models.GetModel(model_service_pb2.GetModelRequest(name=model.name))
    assert (shown.name, shown.bundle_bytes) == (model.name, model.bundle_bytes)
    listed = stubs.models.ListModels(model_service_pb2.ListModelsRequest(parent=PARENT))
    assert list(listed.models) == [shown]
    unknown = refused(
        stubs.models.GetModel, model_service_pb2.GetModelRequest(name=f"{PARENT}/models/none")
    )
    assert (unknown.code, unknown.resource_type) == (
        grpc.StatusCode.NOT_FOUND,
        "headgate.v1/Model",
    )


def test_a_bundle_is_exported_as_a_tar_archive(stubs: Stubs, model: Model) -> None:
    asked = model_service_pb2.ExportModelRequest(name=model.name)
    chunks = [answer.chunk for answer in stubs.models.ExportModel(asked)]
    assert max(map(len, chunks)) <= 1024 * 1024
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        assert set(archive.getnames()) == {"manifest.json", "model.bin"}
        file = archive.extractfile("model.bin")
        assert file is not None
        assert file.read() == CONTENT


def test_a_damaged_bundle_is_not_exported(
    stubs: Stubs, model: Model, controller: InProcessController, tmp_path: Path, refused: Refuses
) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(b"!" + CONTENT[1:])
    controller.artifacts.put_file(path, f"{model.bundle_uri}/model.bin")
    refusal = refused(
        stubs.models.ExportModel, model_service_pb2.ExportModelRequest(name=model.name)
    )
    assert refusal.code is grpc.StatusCode.DATA_LOSS
