"""The states of searches, trials and deployments, and which may follow which.

Each machine is a table; a state without successors is final. Values equal the names in the protos.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from controller.domain.errors import InvalidTransition


class SearchState(StrEnum):
    """Where a search stands; `headgate.v1.Search.State` documents each."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    FINISHING = "FINISHING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class TrialState(StrEnum):
    """Where a trial stands; `headgate.v1.Trial.State` documents each."""

    ADMITTED = "ADMITTED"
    DEFERRED = "DEFERRED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    INFEASIBLE = "INFEASIBLE"
    TIMED_OUT = "TIMED_OUT"
    CANCELLED = "CANCELLED"


class DeploymentState(StrEnum):
    """Where a deployment stands; `headgate.v1.Deployment.State` documents each."""

    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"
    DELETING = "DELETING"


_S, _T, _D = SearchState, TrialState, DeploymentState

SEARCH_NEXT: dict[SearchState, frozenset[SearchState]] = {
    _S.PENDING: frozenset({_S.RUNNING, _S.PAUSED, _S.FINISHING, _S.CANCELLED, _S.FAILED}),
    _S.RUNNING: frozenset(
        {_S.PAUSED, _S.FINISHING, _S.CANCELLING, _S.SUCCEEDED, _S.FAILED, _S.CANCELLED}
    ),
    _S.PAUSED: frozenset({_S.PENDING, _S.RUNNING, _S.FINISHING, _S.CANCELLING, _S.FAILED}),
    _S.FINISHING: frozenset({_S.CANCELLING, _S.SUCCEEDED, _S.FAILED}),
    _S.CANCELLING: frozenset({_S.CANCELLED}),
    _S.SUCCEEDED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
}

_TRIAL_ENDS = frozenset({_T.SUCCEEDED, _T.FAILED, _T.INFEASIBLE, _T.TIMED_OUT, _T.CANCELLED})

TRIAL_NEXT: dict[TrialState, frozenset[TrialState]] = {
    _T.DEFERRED: frozenset({_T.ADMITTED}) | _TRIAL_ENDS,
    # Out of memory before anybody heard that it runs: it may have to wait for more.
    _T.ADMITTED: frozenset({_T.RUNNING, _T.DEFERRED}) | _TRIAL_ENDS,
    # A lost worker sends a running trial back to wait for its next attempt; one that ran out of
    # memory may have to wait for more.
    _T.RUNNING: frozenset({_T.ADMITTED, _T.DEFERRED}) | _TRIAL_ENDS,
    _T.REJECTED: frozenset(),
    **dict.fromkeys(_TRIAL_ENDS, frozenset()),
}

DEPLOYMENT_NEXT: dict[DeploymentState, frozenset[DeploymentState]] = {
    _D.PENDING: frozenset({_D.READY, _D.FAILED, _D.DELETING}),
    _D.READY: frozenset({_D.PENDING, _D.FAILED, _D.DELETING}),
    _D.FAILED: frozenset({_D.PENDING, _D.READY, _D.DELETING}),
    _D.DELETING: frozenset(),
}

_State = TypeVar("_State", SearchState, TrialState, DeploymentState)


def check_transition(
    name: str, table: dict[_State, frozenset[_State]], start: _State, finish: _State
) -> None:
    """Raises: InvalidTransition when `finish` may not follow `start`. Staying is always allowed."""
    if start != finish and finish not in table[start]:
        raise InvalidTransition(name, start.value, finish.value)


def is_search_final(state: SearchState) -> bool:
    """True when no state follows."""
    return not SEARCH_NEXT[state]


def is_trial_final(state: TrialState) -> bool:
    """True when no state follows."""
    return not TRIAL_NEXT[state]
