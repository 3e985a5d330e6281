"""The sampler: a pure function of the log, that learns from what did not fit."""

from __future__ import annotations

import math

import pytest

from headgate.v1 import search_pb2, trial_pb2
from workers.driver.known import Known
from workers.driver.portfolio import Proposal, first_proposals
from workers.driver.space import Configuration, SearchSpace, read_space
from workers.driver.study import Study
from workers.families.base import (
    Choices,
    DataShape,
    Fixed,
    Integers,
    Numbers,
    Parameter,
)
from workers.families.registry import FAMILIES

SHAPE = DataShape(
    rows=1000, train_rows=800, validation_rows=200, features=8, categorical_features=2,
    category_levels=9, classes=2, folds=5, cells_missing=True,
)  # fmt: skip
DECLARED = {name: family.parameters for name, family in FAMILIES.items()}
TREE = (
    Parameter("kind", Choices(("deep", "wide")), "deep", ""),
    Parameter("depth", Integers(1, 100, log=True), 10, "", ("kind", ("deep",))),
    Parameter("rate", Numbers(0.0, 1.0), 0.5, ""),
    Parameter("jobs", Fixed(1), 1, ""),
)
LINE = (Parameter("c", Numbers(0.01, 100.0, log=True), 1.0, ""),)
SPACE = SearchSpace({"line": LINE, "tree": TREE})


def result(configuration: Configuration) -> Known:
    """A made-up fit: deep trees do not fit the memory."""
    depth = configuration.parameters.get("depth")
    if isinstance(depth, int) and depth > 20:
        return Known(violation=math.log(depth / 20))
    return Known(score=float(configuration.parameters.get("rate") or 0.0))


def play(study: Study, trials: int, start: int = 0) -> list[str]:
    """Runs trials one at a time; gives their configurations."""
    keys = []
    for number in range(start, start + trials):
        proposal = study.propose()
        assert proposal is not None
        keys.append(proposal.configuration.key)
        study.record(number, proposal.configuration, result(proposal.configuration))
    return keys


def test_the_same_seed_gives_the_same_sequence_and_another_seed_another() -> None:
    one, two, other = (play(Study(SPACE, seed, True), 25) for seed in (7, 7, 8))
    assert one == two
    assert one != other


def test_a_replayed_study_goes_on_where_the_first_one_was() -> None:
    live = Study(SPACE, 3, True)
    log: list[Configuration] = []
    for number in range(15):
        proposal = live.propose()
        assert proposal is not None
        live.record(number, proposal.configuration, Known())
        live.record(number, proposal.configuration, result(proposal.configuration))
        log.append(proposal.configuration)
    replayed = Study(SPACE, 3, True)
    for number, configuration in enumerate(log):
        replayed.record(number, configuration, result(configuration))
    assert play(replayed, 10, 15) == play(live, 10, 15)


def test_a_parameter_exists_only_under_its_condition() -> None:
    study = Study(SPACE, 0, True)
    kinds = set()
    for number in range(40):
        proposal = study.propose()
        assert proposal is not None
        chosen = proposal.configuration
        study.record(number, chosen, result(chosen))
        if chosen.family == "tree":
            kinds.add(chosen.parameters["kind"])
            assert ("depth" in chosen.parameters) == (chosen.parameters["kind"] == "deep")
            assert chosen.parameters["jobs"] == 1
    assert kinds == {"deep", "wide"}


def test_what_does_not_fit_is_avoided() -> None:
    space = SearchSpace({"tree": (Parameter("depth", Numbers(0.0, 100.0), 1.0, ""),)})

    def run(fits: bool) -> float:
        study, deep = Study(space, 1, True), 0
        for number in range(60):
            proposal = study.propose()
            assert proposal is not None
            depth = float(proposal.configuration.parameters["depth"] or 0)
            is_over = depth > 30 and not fits
            # Without a limit deeper is better; with one, everything above 30 is refused.
            known = Known(violation=math.log(depth / 30)) if is_over else Known(score=depth)
            study.record(number, proposal.configuration, known)
            deep += number >= 20 and depth > 30
        return deep / 40

    assert run(fits=True) > 0.8
    assert run(fits=False) < 0.5


def test_a_small_space_is_tried_once_each_and_then_over() -> None:
    space = SearchSpace({"tree": (Parameter("bins", Choices((1, 2, 3)), 1, ""),
                                  Parameter("kind", Choices((True, 1)), True, ""))})  # fmt: skip
    study = Study(space, 0, True)
    keys = play(study, 6)
    assert len(set(keys)) == 6
    assert study.propose() is None


def test_pending_configurations_are_not_proposed_again() -> None:
    study = Study(SearchSpace({"tree": (Parameter("bins", Choices((1, 2)), 1, ""),)}), 0, True)
    first = study.propose()
    assert first is not None
    second = study.propose([first.configuration])
    assert second is not None
    assert second.configuration != first.configuration
    assert study.propose([first.configuration, second.configuration]) is None


def test_a_hidden_result_makes_no_difference() -> None:
    def proposed(known: Known, hidden: frozenset[int]) -> str:
        study = Study(SPACE, 5, True)
        play(study, 12)
        study.record(12, Configuration("line", {"c": 2.0}), known)
        proposal = study.propose(hidden=hidden)
        assert proposal is not None
        return proposal.configuration.key

    hidden = frozenset({12})
    assert proposed(Known(score=99.0), hidden) == proposed(Known(), frozenset())


def test_families_are_narrowed_and_widened() -> None:
    study = Study(SPACE, 0, True)
    preferred = Proposal(Configuration("tree", {"rate": 0.5}), trial_pb2.CANDIDATE_ORIGIN_DEFAULT)
    study.prefer([preferred])
    study.allow(["line"])
    for number in range(12):
        proposal = study.propose()
        assert proposal is not None
        assert proposal.configuration.family == "line"
        study.record(number, proposal.configuration, Known(score=0.0))
    study.allow([])
    assert study.propose() == preferred


def test_pinned_come_first_then_defaults_in_rounds_cheap_first() -> None:
    space = search_pb2.SearchSpace()
    pinned = space.pinned.add(family="xgboost")
    pinned.parameters.update({"n_estimators": 77, "max_bin": 128})
    read = read_space(space, DECLARED)
    proposals = first_proposals(read, FAMILIES, SHAPE, 1)
    first = proposals[0]
    assert first.origin == trial_pb2.CANDIDATE_ORIGIN_PINNED
    assert first.configuration.parameters["n_estimators"] == 77
    assert type(first.configuration.parameters["n_estimators"]) is int
    assert first.configuration.parameters["learning_rate"] == 0.1
    families = [each.configuration.family for each in proposals[1 : 1 + len(FAMILIES)]]
    assert sorted(families) == sorted(FAMILIES)
    costs = [
        FAMILIES[each.configuration.family].cost(SHAPE, each.configuration.parameters, 1)
        for each in proposals[1 : 1 + len(FAMILIES)]
    ]
    assert [c.cpu_seconds for c in costs] == sorted(c.cpu_seconds for c in costs)


def test_defaults_are_moved_into_a_space_given_by_hand() -> None:
    space = search_pb2.SearchSpace()
    xgboost = space.families["xgboost"].parameters
    xgboost["n_estimators"].integers.CopyFrom(search_pb2.IntegerRange(low=3, high=5))
    xgboost["max_bin"].choices.values.add(number_value=64)
    xgboost["learning_rate"].fixed.number_value = 1
    read = read_space(space, DECLARED).narrowed(["xgboost"])
    for proposal in first_proposals(read, FAMILIES, SHAPE, 1):
        chosen = proposal.configuration.parameters
        assert chosen["n_estimators"] == 5
        assert chosen["max_bin"] == 64
        assert chosen["learning_rate"] == 1.0
        assert type(chosen["learning_rate"]) is float


def test_every_default_and_sample_of_every_family_can_be_modelled() -> None:
    space = read_space(search_pb2.SearchSpace(), DECLARED)
    study = Study(space, 0, False)
    study.prefer(first_proposals(space, FAMILIES, SHAPE, 1))
    play(study, 40)
    assert len(study._frozen_trials([], frozenset())) == 40


def test_a_family_that_is_not_known_here_is_refused() -> None:
    space = search_pb2.SearchSpace()
    space.families["cubist"].SetInParent()
    with pytest.raises(ValueError, match="cubist"):
        read_space(space, DECLARED)
