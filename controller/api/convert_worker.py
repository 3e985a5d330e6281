"""Converts what drivers and the controller say to each other between domain and `headgate.v1`."""

from __future__ import annotations

from collections.abc import Iterable

from controller.api.convert import (
    from_enum_required,
    from_struct,
    to_duration_or_none,
)
from controller.api.convert_dataset import dataset_to_proto
from controller.api.convert_model import model_from_proto
from controller.api.convert_search import search_to_proto, spec_to_proto
from controller.api.convert_space import space_to_proto
from controller.api.convert_trial import (
    ORIGIN_PREFIX,
    failure_from_proto,
    trial_to_proto,
    usage_from_proto,
)
from controller.domain.errors import InvalidField
from controller.domain.records import (
    Candidate,
    Directive,
    NodeReport,
    Origin,
    TreeGrowth,
    Trial,
    TrialEvent,
)
from controller.domain.states import TrialState
from controller.service.views import (
    Assignment,
    Finish,
    FinishedCancelled,
    FinishedWithError,
    FinishedWithModel,
)
from headgate.v1 import trial_pb2
from headgate.v1 import worker_service_pb2 as pb


def assignment_to_proto(assignment: Assignment) -> pb.OpenSessionResponse:
    """What a driver must work on."""
    view = assignment.search_view
    return pb.OpenSessionResponse(
        session=assignment.session,
        search=search_to_proto(view.search, view.progress),
        dataset=dataset_to_proto(assignment.dataset),
        dataset_uri=assignment.dataset_uri,
        bundle_uri=assignment.bundle_uri,
        space=space_to_proto(assignment.space),
        directive=directive_to_proto(assignment.directive),
        reservation_sizes_bytes=assignment.reservation_sizes_bytes,
        slots=assignment.slots,
        folds=view.search.plan.folds,
        probe_families=assignment.probe_families,
    )


def growths_from_proto(growths: Iterable[pb.TreeGrowth]) -> tuple[TreeGrowth, ...]:
    """Raises: InvalidField for figures that no tree has."""
    return tuple(_growth(each, f"growths[{i}]") for i, each in enumerate(growths))


def _growth(growth: pb.TreeGrowth, field: str) -> TreeGrowth:
    is_sound = growth.leaf >= 1 and 0 < growth.share <= 1 and 0 < growth.nodes_per_row <= 2
    if not is_sound:  # not a number is not either
        text = f"leaf {growth.leaf}, share {growth.share:g}, nodes {growth.nodes_per_row:g}"
        raise InvalidField(field, f"no tree is like that: {text}", "send what was measured")
    return TreeGrowth(growth.family, growth.leaf, growth.share, growth.nodes_per_row)


def directive_to_proto(directive: Directive) -> pb.Directive:
    """What a driver must do now."""
    return pb.Directive(
        mode=directive.mode.value,
        spec_revision=directive.spec_revision,
        spec=None if directive.spec is None else spec_to_proto(directive.spec),
        remaining_time=to_duration_or_none(directive.remaining_seconds),
        remaining_trials=directive.remaining_trials,
        startable=[trial_to_proto(each) for each in directive.startable],
        most_running=directive.most_running,
    )


def candidates_from_proto(candidates: Iterable[pb.Candidate]) -> tuple[Candidate, ...]:
    """Raises: InvalidField for a candidate without id or with an unknown origin."""
    return tuple(_candidate(each, f"candidates[{i}]") for i, each in enumerate(candidates))


def _candidate(candidate: pb.Candidate, field: str) -> Candidate:
    if not candidate.candidate_id:
        raise InvalidField(f"{field}.candidate_id", "is empty", "name it uniquely in the search")
    return Candidate(
        candidate_id=candidate.candidate_id,
        family=candidate.family,
        parameters=from_struct(candidate.parameters),
        seed=candidate.seed,
        origin=from_enum_required(
            Origin,
            trial_pb2.CandidateOrigin,
            candidate.origin,
            f"{field}.origin",
            ORIGIN_PREFIX,
        ),
    )


def events_from_proto(events: Iterable[pb.TrialEvent]) -> tuple[TrialEvent, ...]:
    """Raises: InvalidField for an unknown state or kind of failure."""
    return tuple(_event(each, f"events[{i}]") for i, each in enumerate(events))


def _event(event: pb.TrialEvent, field: str) -> TrialEvent:
    return TrialEvent(
        number=event.number,
        attempt=event.attempt,
        state=from_enum_required(TrialState, trial_pb2.Trial.State, event.state, f"{field}.state"),
        score=event.score if event.HasField("score") else None,
        fold_scores=tuple(event.fold_scores),
        metrics=dict(event.metrics),
        usage=usage_from_proto(event.usage) if event.HasField("usage") else None,
        failure=(
            failure_from_proto(event.failure, f"{field}.failure")
            if event.HasField("failure")
            else None
        ),
    )


def nodes_from_proto(nodes: Iterable[pb.NodeReport]) -> tuple[NodeReport, ...]:
    """What agents measured."""
    return tuple(
        NodeReport(each.node_id, each.memory_for_trials_bytes, each.gpu_memory_bytes)
        for each in nodes
    )


def replayed_trial_to_proto(trial: Trial) -> pb.ReplayTrialsResponse:
    """A trial of the log with the id that its driver chose."""
    return pb.ReplayTrialsResponse(trial=trial_to_proto(trial), candidate_id=trial.candidate_id)


def finish_from_proto(request: pb.FinishSearchRequest) -> Finish:
    """How a driver says that its search ended. Raises: InvalidField when it does not say it."""
    outcome = request.WhichOneof("outcome")
    if outcome == "model":
        return FinishedWithModel(model_from_proto(request.model, "model"))
    if outcome == "error":
        return FinishedWithError(request.error)
    if outcome == "cancelled" and request.cancelled:
        return FinishedCancelled()
    raise InvalidField("outcome", "is not set", "set model, error or cancelled")
