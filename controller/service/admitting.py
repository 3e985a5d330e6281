"""Admission of a batch of candidates: verdicts become trials in the search's log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from controller.domain import budget
from controller.domain.errors import InvalidField, NotFound
from controller.domain.records import Candidate, Dataset, Decision, Search, Trial, Verdict
from controller.domain.space import normalized
from controller.domain.states import SearchState, TrialState
from controller.domain.violations import suggestion
from controller.ports.store import Transaction
from controller.service.catalog import FamilyCatalog
from controller.service.driving import Standing
from controller.service.gate import Gate, Setting


@dataclass(frozen=True)
class Admitted:
    """search: with its counters moved on. trials: one a candidate, in order, as far as the budget
    goes. decided: those of them that were not known before.
    """

    search: Search
    trials: list[Trial]
    decided: tuple[Trial, ...]


class Admitting:
    """Decides candidates in order and writes their trials; stores no search."""

    def __init__(self, gate: Gate, catalog: FamilyCatalog) -> None:
        self._gate = gate
        self._catalog = catalog

    def admit(
        self,
        tx: Transaction,
        standing: Standing,
        candidates: Sequence[Candidate],
        now: float,
    ) -> Admitted:
        """Idempotent by candidate id. Raises: InvalidField."""
        search, left = standing.search, standing.admissible
        if search.state is not SearchState.RUNNING:
            return Admitted(search, [], ())
        remaining = budget.remaining_seconds(search, now)
        setting = self._gate.setting(search, dataset_of(tx, search), remaining)
        trials: list[Trial] = []
        decided: list[Trial] = []
        for index, candidate in enumerate(candidates):
            known = tx.trial_by_candidate(search.name, candidate.candidate_id)
            if known is not None:
                trials.append(known)
                continue
            if left == 0 or search.rejections_in_a_row > budget.max_rejections(search):
                break
            trial = tx.put(self._trial(search, candidate, index, setting, now))
            trials.append(trial)
            decided.append(trial)
            search = _counted(search, trial.verdict)
            if left is not None and trial.state is not TrialState.REJECTED:
                left -= 1
        return Admitted(search, trials, tuple(decided))

    def _trial(
        self, search: Search, candidate: Candidate, index: int, setting: Setting, now: float
    ) -> Trial:
        path = f"candidates[{index}]"
        if not candidate.candidate_id:
            raise InvalidField(f"{path}.candidate_id", "it is empty", "name each candidate")
        declaration = self._catalog.declarations.get(candidate.family)
        if declaration is None:
            text = f"{candidate.family!r} is not a family"
            hint = suggestion(candidate.family, self._catalog.declarations)
            raise InvalidField(f"{path}.family", text, hint, "UNKNOWN_FAMILY")
        try:
            parameters = normalized(declaration, candidate.parameters)
            verdict = self._gate.judge(setting, candidate.family, parameters)
        except ValueError as error:
            text, _, hint = str(error).partition("; ")
            remedy = hint or "give every parameter of the family"
            raise InvalidField(f"{path}.parameters", text, remedy) from error
        is_rejected = verdict.decision is Decision.REJECTED
        return Trial(
            name=f"{search.name}/trials/{search.next_trial_number}",
            search=search.name,
            number=search.next_trial_number,
            candidate_id=candidate.candidate_id,
            family=candidate.family,
            parameters={**parameters, **(verdict.changes or {})},
            seed=candidate.seed,
            origin=candidate.origin,
            # The ledger decides when what fits may start.
            state=TrialState.REJECTED if is_rejected else TrialState.DEFERRED,
            deferred_at=None if is_rejected else now,
            verdict=verdict,
            created_at=now,
            ended_at=now if is_rejected else None,
        )


def _counted(search: Search, verdict: Verdict) -> Search:
    is_rejected = verdict.decision is Decision.REJECTED
    return replace(
        search,
        next_trial_number=search.next_trial_number + 1,
        rejections_in_a_row=search.rejections_in_a_row + 1 if is_rejected else 0,
    )


def dataset_of(tx: Transaction, search: Search) -> Dataset:
    """The dataset of a search that has not ended. Raises: NotFound."""
    dataset = tx.get(Dataset, search.spec.dataset)
    if dataset is None:
        raise NotFound(search.spec.dataset, "a search cannot go on without its dataset")
    return dataset
