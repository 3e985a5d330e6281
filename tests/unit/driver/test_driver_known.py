"""What did not fit reaches the sampler as a constraint that was violated, and by how much."""

from __future__ import annotations

import math
from typing import Any

import pytest
from optuna.trial import TrialState

from headgate.v1 import trial_pb2
from tests.unit.driver.fake_controller import FakeController, Trial, admitted, rejected
from tests.unit.driver.test_driver_candidates import rig
from workers.driver.events import known_of_trial
from workers.driver.known import Known
from workers.driver.space import Configuration, SearchSpace
from workers.driver.study import Study
from workers.families.base import Integers, Parameter

SPACE = SearchSpace({"tree": (Parameter("depth", Integers(1, 1000), 900, ""),)})


def trial(state: trial_pb2.Trial.State, **fields: Any) -> Trial:
    return Trial(state=state, verdict=admitted(memory_bytes=100), **fields)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Trial(state=Trial.REJECTED, verdict=rejected(4e9, 1e9)), Known(violation=math.log(4))),
        # Just over a limit is over it all the same.
        (Trial(state=Trial.REJECTED, verdict=rejected(1.001e9, 1e9)), Known(violation=0.05)),
        # A refusal without figures: NO_SUCH_RESOURCE of a node without GPUs.
        (Trial(state=Trial.REJECTED, verdict=rejected(1.0, 0.0)), Known(violation=1.0)),
        (
            trial(Trial.INFEASIBLE, usage=trial_pb2.Usage(peak_memory_bytes=200)),
            Known(violation=math.log(2)),
        ),
        (trial(Trial.FAILED), Known(violation=1.0)),
        (trial(Trial.TIMED_OUT), Known(violation=1.0)),
        (trial(Trial.SUCCEEDED, score=0.75), Known(score=0.75)),
        (trial(Trial.RUNNING), Known()),
        (trial(Trial.ADMITTED), Known()),
        (trial(Trial.CANCELLED), Known()),
    ],
)
def test_what_is_learned_of_a_trial_of_the_log(found: Trial, expected: Known) -> None:
    known = known_of_trial(found)
    assert known.score == expected.score
    assert known.violation == pytest.approx(expected.violation)


@pytest.mark.parametrize(
    ("known", "state", "constraints", "value"),
    [
        (Known(violation=1.25), TrialState.PRUNED, {"fits": 1.25}, None),
        (Known(score=0.75), TrialState.COMPLETE, {}, 0.75),
        (Known(), TrialState.RUNNING, {}, None),
    ],
)
def test_the_sampler_is_told(
    known: Known, state: TrialState, constraints: dict[str, float], value: float | None
) -> None:
    study = Study(SPACE, 0, True)
    study.record(0, Configuration("tree", {"depth": 500}), known)
    (frozen,) = study._frozen_trials((), frozenset())
    assert frozen.state == state
    assert frozen.constraints == constraints
    assert (frozen.value if state == TrialState.COMPLETE else None) == value
    assert frozen.params == {"family": "tree", "tree.depth": 500}


def test_a_rejection_at_the_gate_is_learned_at_once() -> None:
    def gate(candidate: Any) -> trial_pb2.Verdict:
        depth = candidate.parameters.fields["depth"].number_value
        return rejected(depth, 20.0) if depth > 20 else admitted()

    fake = FakeController(gate)
    with rig(fake, SPACE) as rigged:
        rigged.wait(lambda: fake.count(Trial.REJECTED) >= 3)
        rigged.wait(lambda: rigged.board.statistics().waiting > 0)
        refused = [t for t in fake.trials if t.state == Trial.REJECTED]
        told = rigged.candidates._study._frozen_trials((), frozenset())
        for each in refused:
            depth = each.parameters.fields["depth"].number_value
            (frozen,) = [f for f in told if f.params["tree.depth"] == depth]
            assert frozen.constraints["fits"] == pytest.approx(max(0.05, math.log(depth / 20)))
