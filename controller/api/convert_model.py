"""Converts models between the domain and `headgate.v1`."""

from __future__ import annotations

from controller.api.convert import from_enum_required, from_struct, to_struct, to_timestamp
from controller.api.convert_dataset import KIND_PREFIX
from controller.api.convert_search import TASK_PREFIX, task_to_proto
from controller.domain.records import ColumnKind, Model, ModelInput, Task
from controller.service.etag import etag
from headgate.v1 import dataset_pb2, search_pb2
from headgate.v1 import model_pb2 as pb


def model_to_proto(model: Model) -> pb.Model:
    """The resource as users see it."""
    return pb.Model(
        name=model.name,
        search=model.search,
        trial=model.trial,
        family=model.family,
        parameters=to_struct(model.parameters),
        task=task_to_proto(model.task),
        target_column=model.target_column,
        classes=model.classes,
        positive_class=model.positive_class,
        inputs=[
            pb.ModelInput(name=each.name, kind=KIND_PREFIX + each.kind, datatype=each.datatype)
            for each in model.inputs
        ],
        metric=model.metric,
        score=model.score,
        training_rows=model.training_rows,
        bundle_uri=model.bundle_uri,
        manifest_sha256=model.manifest_sha256,
        bundle_bytes=model.bundle_bytes,
        create_time=to_timestamp(model.created_at),
        etag=etag(model),
    )


def model_from_proto(model: pb.Model, field: str) -> Model:
    """What a driver wrote. `name`, `search`, `bundle_uri` and the creation time are left for the
    controller, whatever was sent. Raises: InvalidField for an unknown task or kind of column.
    """
    return Model(
        name="",
        search="",
        trial=model.trial,
        family=model.family,
        parameters=from_struct(model.parameters),
        task=from_enum_required(Task, search_pb2.Task, model.task, f"{field}.task", TASK_PREFIX),
        target_column=model.target_column,
        classes=tuple(model.classes),
        positive_class=model.positive_class,
        inputs=tuple(_input(each, f"{field}.inputs") for each in model.inputs),
        metric=model.metric,
        score=model.score,
        training_rows=model.training_rows,
        bundle_uri="",
        manifest_sha256=model.manifest_sha256,
        bundle_bytes=model.bundle_bytes,
        created_at=0.0,
    )


def _input(each: pb.ModelInput, field: str) -> ModelInput:
    kind = from_enum_required(
        ColumnKind, dataset_pb2.ColumnKind, each.kind, f"{field}.kind", KIND_PREFIX
    )
    return ModelInput(name=each.name, kind=kind, datatype=each.datatype)
