"""What drivers and the controller say to each other means the same on both sides."""

from __future__ import annotations

import pytest

from controller.api import convert_worker
from controller.api.convert_model import model_to_proto
from controller.api.convert_space import space_to_proto
from controller.api.convert_trial import failure_to_proto, usage_to_proto
from controller.domain.errors import InvalidField
from controller.domain.records import (
    Candidate,
    Dataset,
    Directive,
    DirectiveMode,
    Model,
    Origin,
    Progress,
    Search,
    SearchSpec,
    TreeGrowth,
    Trial,
    TrialEvent,
    TrialFailure,
    Usage,
)
from controller.domain.states import TrialState
from controller.service.views import (
    Assignment,
    FinishedCancelled,
    FinishedWithError,
    FinishedWithModel,
    SearchView,
)
from headgate.v1 import worker_service_pb2 as pb


def candidate(**changes: object) -> pb.Candidate:
    sent = pb.Candidate(
        candidate_id="c1", family="linear", seed=5, origin="CANDIDATE_ORIGIN_PINNED"
    )
    sent.parameters.update({"C": 0.5, "n": 2})
    for name, value in changes.items():
        setattr(sent, name, value)
    return sent


def test_candidates_are_read() -> None:
    assert convert_worker.candidates_from_proto([candidate()]) == (
        Candidate("c1", "linear", {"C": 0.5, "n": 2}, 5, Origin.PINNED),
    )


@pytest.mark.parametrize(
    ("candidates", "field"),
    [
        ([candidate(), candidate(candidate_id="")], "candidates[1].candidate_id"),
        ([candidate(origin=0)], "candidates[0].origin"),
    ],
)
def test_bad_candidates_are_refused_by_their_path(
    candidates: list[pb.Candidate], field: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        convert_worker.candidates_from_proto(candidates)
    assert refused.value.violations[0].field == field


def test_events_are_read(usage: Usage, failure: TrialFailure) -> None:
    sent = pb.TrialEvent(
        number=3,
        attempt=2,
        state="FAILED",
        score=0.0,
        fold_scores=[0.5, 1.0],
        metrics={"accuracy": 0.5},
        usage=usage_to_proto(usage),
        failure=failure_to_proto(failure),
    )
    assert convert_worker.events_from_proto([sent, pb.TrialEvent(state="RUNNING")]) == (
        TrialEvent(3, 2, TrialState.FAILED, 0.0, (0.5, 1.0), {"accuracy": 0.5}, usage, failure),
        TrialEvent(0, 0, TrialState.RUNNING),
    )


def test_an_event_without_state_is_refused_by_its_path() -> None:
    with pytest.raises(InvalidField) as refused:
        convert_worker.events_from_proto([pb.TrialEvent(number=1)])
    assert refused.value.violations[0].field == "events[0].state"


def test_outcomes_are_read(model: Model) -> None:
    read = convert_worker.finish_from_proto
    with_model = read(pb.FinishSearchRequest(model=model_to_proto(model)))
    assert isinstance(with_model, FinishedWithModel)
    assert with_model.model.manifest_sha256 == model.manifest_sha256
    assert read(pb.FinishSearchRequest(error="no trial")) == FinishedWithError("no trial")
    assert read(pb.FinishSearchRequest(cancelled=True)) == FinishedCancelled()


@pytest.mark.parametrize(
    "request_", [pb.FinishSearchRequest(), pb.FinishSearchRequest(cancelled=False)]
)
def test_an_end_without_outcome_is_refused(request_: pb.FinishSearchRequest) -> None:
    with pytest.raises(InvalidField, match="outcome"):
        convert_worker.finish_from_proto(request_)


def test_directives_are_sent(spec: SearchSpec) -> None:
    sent = convert_worker.directive_to_proto(Directive(DirectiveMode.FINISH, 3, spec, 1.5, 0))
    assert sent.mode == pb.Directive.FINISH
    assert (sent.spec_revision, sent.spec.seed) == (3, spec.seed)
    assert (sent.remaining_time.ToMilliseconds(), sent.remaining_trials) == (1_500, 0)
    least = convert_worker.directive_to_proto(Directive(DirectiveMode.RUN, 1))
    for field in ("spec", "remaining_time", "remaining_trials"):
        assert not least.HasField(field)


def test_assignments_are_sent(
    search: Search, progress: Progress, dataset: Dataset, spec: SearchSpec
) -> None:
    sent = convert_worker.assignment_to_proto(
        Assignment(
            session="s#1#x",
            search_view=SearchView(search, progress),
            dataset=dataset,
            dataset_uri="file:///d",
            bundle_uri="file:///b",
            space=spec.space,
            directive=Directive(DirectiveMode.RUN, 1),
            reservation_sizes_bytes=(64, 128),
            slots=2,
            probe_families=("random_forest",),
        )
    )
    assert {field.name for field in sent.DESCRIPTOR.fields} == {
        f.name for f, _ in sent.ListFields()
    }
    assert sent.space == space_to_proto(spec.space)
    assert (sent.search.name, sent.dataset.name) == (search.name, dataset.name)


def test_growths_are_read_and_impossible_ones_refused() -> None:
    sound = pb.TreeGrowth(family="extra_trees", leaf=6, share=0.75, nodes_per_row=0.2)
    assert convert_worker.growths_from_proto([sound]) == (TreeGrowth("extra_trees", 6, 0.75, 0.2),)
    for wrong in ({"leaf": 0}, {"share": 1.1}, {"nodes_per_row": 0.0}, {"share": float("nan")}):
        broken = pb.TreeGrowth()
        broken.CopyFrom(sound)
        for name, value in wrong.items():
            setattr(broken, name, value)
        with pytest.raises(InvalidField) as caught:
            convert_worker.growths_from_proto([sound, broken])
        assert "growths[1]" in str(caught.value)


def test_replayed_trials_carry_the_id_of_their_candidate(trial: Trial) -> None:
    sent = convert_worker.replayed_trial_to_proto(trial)
    assert (sent.candidate_id, sent.trial.number) == ("c3", 3)
