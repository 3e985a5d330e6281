"""Records reach the wire whole, and what comes from the wire means what it meant."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from controller.api.convert_dataset import dataset_to_proto, format_from_proto
from controller.api.convert_deployment import deployment_to_proto
from controller.api.convert_model import model_from_proto, model_to_proto
from controller.api.convert_search import search_to_proto, spec_from_proto, spec_to_proto
from controller.api.convert_trial import (
    failure_from_proto,
    failure_to_proto,
    states_from_proto,
    trial_to_proto,
    usage_from_proto,
    usage_to_proto,
)
from controller.domain.errors import InvalidField
from controller.domain.records import (
    Budget,
    Dataset,
    Deployment,
    Limits,
    Model,
    Prediction,
    Progress,
    Search,
    SearchSpec,
    Trial,
    TrialFailure,
    Usage,
)
from controller.domain.states import TrialState
from controller.reader.request import TableFormat
from controller.service.deployments import DeploymentView
from controller.service.etag import etag
from headgate.v1 import dataset_pb2, search_pb2


def unset_fields(message: Message) -> set[str]:
    """Paths of all fields at and below `message` without a value; repeated ones not looked into."""
    found: set[str] = set()
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        is_set = message.HasField(field.name) if field.has_presence else bool(value)
        if not is_set:
            found.add(field.name)
        elif isinstance(value, Message) and value.DESCRIPTOR.full_name.startswith("headgate.v1."):
            found |= {f"{field.name}.{path}" for path in unset_fields(value)}
    return found


def test_every_field_of_a_dataset_is_sent(dataset: Dataset) -> None:
    sent = dataset_to_proto(dataset)
    assert unset_fields(sent) == set()
    assert unset_fields(sent.profile.columns[0]) == set()
    assert sent.etag == etag(dataset)
    assert sent.format == dataset_pb2.TABLE_FORMAT_CSV
    assert [(v.value, v.count) for v in sent.profile.columns[0].top_values] == [("41", 5), ("7", 1)]


def test_absent_figures_of_a_column_stay_absent(dataset: Dataset) -> None:
    column = replace(dataset.columns[0], min=None, max=None, mean=None, standard_deviation=None)
    sent = dataset_to_proto(replace(dataset, columns=(column,))).profile.columns[0]
    assert unset_fields(sent) == {"min", "max", "mean", "standard_deviation"}


def test_formats_are_those_of_the_reader() -> None:
    numbers = dataset_pb2.TableFormat.values()
    assert {format_from_proto(number, "f") for number in numbers} == set(TableFormat)
    with pytest.raises(InvalidField, match="use one of TABLE_FORMAT_CSV"):
        format_from_proto(99, "f")


def test_every_field_of_a_search_is_sent(search: Search, progress: Progress) -> None:
    sent = search_to_proto(search, progress)
    assert unset_fields(sent) == set()
    assert sent.etag == etag(search)
    assert sent.HasField("best_score"), "a score of 0 is a score"
    info = error_details_pb2.ErrorInfo()
    assert sent.error.details[0].Unpack(info)
    assert (info.reason, sent.error.message) == ("DRIVER_DIED", "the driver died three times")


def test_the_token_of_a_search_is_not_sent(search: Search, progress: Progress) -> None:
    assert b"secret-hash" not in search_to_proto(search, progress).SerializeToString()


def test_specs_come_back(spec: SearchSpec) -> None:
    assert spec_from_proto(spec_to_proto(spec)) == spec


def test_the_least_spec_comes_back() -> None:
    spec = SearchSpec(dataset="d", target_column="t")
    assert spec_from_proto(spec_to_proto(spec)) == spec


def test_zero_on_the_wire_means_no_limit_and_one_cpu() -> None:
    spec = spec_from_proto(search_pb2.SearchSpec())
    assert spec.budget == Budget(None, None)
    assert spec.limits == Limits()


def test_a_negative_or_zero_budget_is_left_for_the_service_to_refuse() -> None:
    sent = search_pb2.SearchSpec()
    sent.budget.time.seconds = -5
    sent.budget.max_trials = -1
    assert spec_from_proto(sent).budget == Budget(-5.0, -1)
    sent.budget.time.seconds = 0
    assert spec_from_proto(sent).budget.time_seconds == 0.0


def test_an_unknown_task_is_refused_by_its_path() -> None:
    with pytest.raises(InvalidField) as refused:
        spec_from_proto(search_pb2.SearchSpec(task=99))  # type: ignore[arg-type]
    assert refused.value.violations[0].field == "search.spec.task"


def test_a_parameter_without_values_is_refused_by_its_path() -> None:
    sent = search_pb2.SearchSpec()
    sent.space.families["linear"].parameters["C"].SetInParent()
    with pytest.raises(InvalidField) as refused:
        spec_from_proto(sent)
    assert refused.value.violations[0].field == "search.spec.space.families.linear.parameters.C"


def test_every_field_of_a_trial_is_sent(trial: Trial) -> None:
    sent = trial_to_proto(trial)
    assert unset_fields(sent) == set()
    assert sent.verdict.prediction.peak_memory_bytes == 120
    assert dict(sent.verdict.prediction.memory_terms) == {"trees": 100, "data": 20}
    assert sent.verdict.fits_with["max_depth"] == 3
    assert sent.verdict.changes["max_bin"] == 64
    assert sent.verdict.replaced["max_bin"] == 256
    assert unset_fields(sent.history[0]) == set()


def test_a_trial_that_only_waits_has_no_result(trial: Trial) -> None:
    waiting = replace(
        trial,
        state=TrialState.ADMITTED,
        score=None,
        fold_scores=(),
        metrics={},
        usage=None,
        failure=None,
        started_at=None,
        ended_at=None,
        attempts=0,
    )
    assert unset_fields(trial_to_proto(waiting)) == {
        "score",
        "fold_scores",
        "metrics",
        "usage",
        "failure",
        "start_time",
        "end_time",
        "attempts",
    }


def test_an_absurd_prediction_can_be_sent(trial: Trial) -> None:
    verdict = replace(trial.verdict, prediction=Prediction({"x": 2**90}, 1e300, 2**70, 1e300))
    sent = trial_to_proto(replace(trial, verdict=verdict)).verdict.prediction
    assert sent.peak_memory_bytes == 2**63 - 1


def test_usage_and_failure_come_back(usage: Usage, failure: TrialFailure) -> None:
    assert usage_from_proto(usage_to_proto(usage)) == usage
    assert failure_from_proto(failure_to_proto(failure), "f") == failure


def test_states_of_a_filter() -> None:
    assert states_from_proto([4, 2], "states") == (TrialState.REJECTED, TrialState.RUNNING)
    with pytest.raises(InvalidField, match="states"):
        states_from_proto([0], "states")


def test_every_field_of_a_model_is_sent_and_comes_back(model: Model) -> None:
    sent = model_to_proto(model)
    assert unset_fields(sent) == set()
    assert unset_fields(sent.inputs[0]) == set()
    kept = model_from_proto(sent, "model")
    assert kept == replace(model, name="", search="", bundle_uri="", created_at=0.0)


def test_every_field_of_a_deployment_is_sent(deployment: Deployment) -> None:
    view = DeploymentView(deployment, "team.churn", "http://127.0.0.1:1", "127.0.0.1:2")
    assert unset_fields(deployment_to_proto(view)) == {"traffic"}
