"""Every pair of states is allowed or raises; the tables are total and their ends are ends."""

from __future__ import annotations

from itertools import product

import pytest

from controller.domain.errors import InvalidTransition
from controller.domain.states import (
    DEPLOYMENT_NEXT,
    SEARCH_NEXT,
    TRIAL_NEXT,
    DeploymentState,
    SearchState,
    TrialState,
    check_transition,
    is_search_final,
    is_trial_final,
)

SEARCH_EDGES = {
    "PENDING": "RUNNING PAUSED FINISHING CANCELLED FAILED",
    "RUNNING": "PAUSED FINISHING CANCELLING SUCCEEDED FAILED CANCELLED",
    "PAUSED": "PENDING RUNNING FINISHING CANCELLING FAILED",
    "FINISHING": "CANCELLING SUCCEEDED FAILED",
    "CANCELLING": "CANCELLED",
    "SUCCEEDED": "",
    "FAILED": "",
    "CANCELLED": "",
}
TRIAL_ENDS = "SUCCEEDED FAILED INFEASIBLE TIMED_OUT CANCELLED"
TRIAL_EDGES = {
    "DEFERRED": f"ADMITTED {TRIAL_ENDS}",
    "ADMITTED": f"RUNNING DEFERRED {TRIAL_ENDS}",
    "RUNNING": f"ADMITTED DEFERRED {TRIAL_ENDS}",
    "REJECTED": "",
    **dict.fromkeys(TRIAL_ENDS.split(), ""),
}
DEPLOYMENT_EDGES = {
    "PENDING": "READY FAILED DELETING",
    "READY": "PENDING FAILED DELETING",
    "FAILED": "PENDING READY DELETING",
    "DELETING": "",
}


@pytest.mark.parametrize(("start", "finish"), list(product(SearchState, SearchState)))
def test_search_pairs(start: SearchState, finish: SearchState) -> None:
    if start is finish or finish.value in SEARCH_EDGES[start.value].split():
        check_transition("s", SEARCH_NEXT, start, finish)
    else:
        with pytest.raises(InvalidTransition, match=f"s is {start} and cannot become {finish}"):
            check_transition("s", SEARCH_NEXT, start, finish)


@pytest.mark.parametrize(("start", "finish"), list(product(TrialState, TrialState)))
def test_trial_pairs(start: TrialState, finish: TrialState) -> None:
    if start is finish or finish.value in TRIAL_EDGES[start.value].split():
        check_transition("t", TRIAL_NEXT, start, finish)
    else:
        with pytest.raises(InvalidTransition):
            check_transition("t", TRIAL_NEXT, start, finish)


@pytest.mark.parametrize(("start", "finish"), list(product(DeploymentState, DeploymentState)))
def test_deployment_pairs(start: DeploymentState, finish: DeploymentState) -> None:
    if start is finish or finish.value in DEPLOYMENT_EDGES[start.value].split():
        check_transition("d", DEPLOYMENT_NEXT, start, finish)
    else:
        with pytest.raises(InvalidTransition):
            check_transition("d", DEPLOYMENT_NEXT, start, finish)


def test_final_states_have_no_way_out() -> None:
    assert {s.value for s in SearchState if is_search_final(s)} == {
        "SUCCEEDED",
        "FAILED",
        "CANCELLED",
    }
    still_open = {t.value for t in TrialState if not is_trial_final(t)}
    assert still_open == {"DEFERRED", "ADMITTED", "RUNNING"}


def test_every_state_is_in_its_table() -> None:
    assert set(SEARCH_NEXT) == set(SearchState)
    assert set(TRIAL_NEXT) == set(TrialState)
    assert set(DEPLOYMENT_NEXT) == set(DeploymentState)
