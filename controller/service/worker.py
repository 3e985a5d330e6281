"""The internal service between a search's driver and the controller. Calls block for milliseconds.

Laws: a call with a session that a newer driver has superseded changes nothing and fails; a call
repeated with the same arguments changes nothing more; a trial that has ended never changes.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from controller.domain.errors import FailedPrecondition, InvalidField, SessionSuperseded
from controller.domain.records import (
    Candidate,
    Dataset,
    Directive,
    DirectiveMode,
    NodeReport,
    Search,
    TreeGrowth,
    Trial,
    TrialEvent,
)
from controller.domain.retries import next_reservation_bytes
from controller.domain.search_moves import move, reopen_trial, start_clock
from controller.domain.states import SearchState, TrialState, is_search_final
from controller.ports.artifacts import Artifacts
from controller.ports.clock import Clock
from controller.ports.metrics import Metrics
from controller.ports.store import Store, Transaction
from controller.service import driving, tokens
from controller.service.admitting import Admitting, dataset_of
from controller.service.calibrator import Calibrator
from controller.service.catalog import FamilyCatalog
from controller.service.endings import all_trials
from controller.service.finishing import Finishing, bundle_uri
from controller.service.fitting import sized
from controller.service.gate import Gate
from controller.service.growing import checked, learned, wants_probe, with_growths
from controller.service.heartbeats import Heartbeats
from controller.service.permits import Permits
from controller.service.reporting import report_events
from controller.service.searches import view
from controller.service.steering import Steered, store_change
from controller.service.views import Assignment, Finish

MAX_CANDIDATES = 64
"""Most candidates of one Admit."""


def new_session_part() -> str:
    """The random part of a session."""
    return secrets.token_hex(8)


class WorkerService:
    """`headgate.v1.WorkerService`; the proto documents each call.

    All calls raise Unauthenticated, PermissionDenied; all but `open_session` SessionSuperseded.
    """

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        catalog: FamilyCatalog,
        gate: Gate,
        heartbeats: Heartbeats,
        clock: Clock,
        metrics: Metrics,
        permits: Permits,
        calibrator: Calibrator,
        session_part: Callable[[], str] = new_session_part,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._catalog = catalog
        self._heartbeats = heartbeats
        self._clock = clock
        self._metrics = metrics
        self._session_part = session_part
        self._permits = permits
        self._gate = gate
        self._calibrator = calibrator
        self._admitting = Admitting(self._gate, catalog)
        self._finishing = Finishing(artifacts)

    def open_session(self, token: str, search: str, driver_id: str) -> Assignment:
        """Raises: FailedPrecondition when the search has ended, InvalidField without an id."""
        if not driver_id:
            raise InvalidField("driver_id", "it is empty", "send a random id of this process")
        now = self._clock.now()
        with self._store.transaction() as tx:
            record = tokens.authorized(tx, token, search)
            if is_search_final(record.state):
                raise FailedPrecondition(
                    f"{search} is {record.state.value}; its driver has nothing to do",
                    resource=search,
                )
            dataset = dataset_of(tx, record)
            opened = record
            if not (record.session and record.driver_id == driver_id):
                opened = self._take_over(tx, record, driver_id, now)
            steered, directive = self._settle(tx, record, self._sized(opened, dataset), 0)
            answer = self._assignment(tx, steered.search, dataset, directive)
        self._heartbeats.heard(search)
        self._tell(steered)
        return answer

    def _take_over(self, tx: Transaction, search: Search, driver_id: str, now: float) -> Search:
        """A new session; trials that the driver before was running wait for their next attempt."""
        for trial in list(all_trials(tx, search.name, (TrialState.RUNNING,))):
            tx.put(reopen_trial(trial))
        started = start_clock(search, now)
        if started.state is SearchState.PENDING:
            started = move(started, SearchState.RUNNING, now)
        part = self._session_part()
        session = tokens.new_session(search.name, search.driver_attempts, part)
        return replace(
            started, session=session, driver_id=driver_id, pending_reason="", heartbeat_at=now
        )

    def _sized(self, search: Search, dataset: Dataset) -> Search:
        """Reservation sizes for the cluster as it is now, or the end when nothing fits it."""
        return sized(self._gate, self._catalog, search, dataset, self._clock.now())

    def _assignment(
        self, tx: Transaction, search: Search, dataset: Dataset, directive: Directive
    ) -> Assignment:
        setting = self._gate.setting(search, dataset, None)
        return Assignment(
            session=search.session,
            search_view=view(tx, search, self._clock.now()),
            dataset=dataset,
            dataset_uri=dataset.uri,
            bundle_uri=bundle_uri(self._artifacts, search),
            space=self._catalog.space_of(search.spec),
            directive=directive,
            reservation_sizes_bytes=search.reservation_sizes_bytes,
            slots=self._gate.slots(search.spec.limits, search.reservation_sizes_bytes),
            probe_families=wants_probe(self._gate, self._catalog, search, setting),
        )

    def replay(self, token: str, session: str) -> list[Trial]:
        """All trials by number. `Trial.candidate_id` is what the driver called each."""
        with self._store.transaction() as tx:
            search = self._owned(tx, token, session)
            trials = list(all_trials(tx, search.name))
        self._heartbeats.heard(search.name)
        return trials

    def admit(
        self, token: str, session: str, candidates: Sequence[Candidate], spec_revision: int = 0
    ) -> tuple[list[Trial], Directive]:
        """One trial a candidate, in order, as far as the budget goes: fewer when the trials that
        are left are used up, none when the directive does not let new trials start.

        Raises: InvalidField for more than 64 candidates, an unknown family or parameter.
        """
        if len(candidates) > MAX_CANDIDATES:
            text = f"there are {len(candidates)}"
            raise InvalidField("candidates", text, f"send at most {MAX_CANDIDATES} at once")
        now = self._clock.now()
        with self._store.transaction() as tx:
            before = self._owned(tx, token, session)
            standing = driving.stand(tx, before, now)
            admitted = self._admitting.admit(tx, standing, candidates, now)
            steered, directive = self._settle(tx, before, admitted.search, spec_revision)
            trials = _as_stored(tx, admitted.trials)
        self._tell(steered)
        self._heartbeats.heard(before.name)
        decided = {trial.name for trial in admitted.decided}
        for trial in trials:
            if trial.name in decided:
                self._metrics.admission_decided(trial.family, trial.verdict)
        return trials, directive

    def report(
        self,
        token: str,
        session: str,
        events: Sequence[TrialEvent],
        unreachable_seconds: float = 0.0,
    ) -> tuple[list[Trial], Directive]:
        """Late and repeated events change nothing. The trials of the events, as stored now.

        Raises: NotFound for an unknown trial.
        """
        now = self._clock.now()
        with self._store.transaction() as tx:
            before = self._owned(tx, token, session)
            search = self._charged(before, unreachable_seconds, now)
            reported = report_events(tx, search, events, now, partial(self._retry, tx))
            for trial in (*reported.ended, *reported.retried):
                self._calibrator.learn(tx, trial)
            after = self._taught(tx, reported.search, reported.ended)
            steered, directive = self._settle(tx, before, after, search.spec_revision)
            trials = _as_stored(tx, reported.trials)
        self._tell(steered)
        self._heartbeats.heard(before.name)
        for trial in reported.ended:
            self._metrics.trial_ended(trial)
        for trial in reported.retried:
            self._metrics.trial_retried(trial)
        return trials, directive

    def report_probe(
        self, token: str, session: str, growths: Sequence[TreeGrowth]
    ) -> tuple[int, ...]:
        """Predictions use it from now on; gives the reservation sizes that follow from it. A search
        that has ended changes no more.

        Raises: InvalidField for a family that grows no trees.
        """
        told = checked(self._catalog, growths)
        with self._store.transaction() as tx:
            before = self._owned(tx, token, session)
            after = before
            if told and not is_search_final(before.state):
                after = self._sized(with_growths(before, told), dataset_of(tx, before))
            steered, _ = self._settle(tx, before, after, before.spec_revision)
        self._tell(steered)
        self._heartbeats.heard(before.name)
        return steered.search.reservation_sizes_bytes

    def heartbeat(
        self,
        token: str,
        session: str,
        spec_revision: int = 0,
        phase: str = "",
        unreachable_seconds: float = 0.0,
        nodes: Sequence[NodeReport] = (),
    ) -> Directive:
        """The driver is alive. nodes: what agents measured."""
        now = self._clock.now()
        with self._store.transaction() as tx:
            before = self._owned(tx, token, session)
            search = self._charged(before, unreachable_seconds, now)
            if not is_search_final(search.state):
                search = replace(search, phase=phase)
            self._permits.measured(nodes)
            steered, directive = self._settle(tx, before, search, spec_revision)
        self._tell(steered)
        self._heartbeats.heard(before.name)
        return directive

    def finish(self, token: str, session: str, outcome: Finish) -> None:
        """Ends the search. What comes after its end changes nothing; a cancelled search takes no
        model.

        Raises: InvalidTransition when the driver says cancelled and nobody cancelled it.
        """
        now = self._clock.now()
        with self._store.transaction() as tx:
            before = self._owned(tx, token, session)
            after = self._finishing.finish(tx, before, outcome, now)
            steered = store_change(tx, before, after, now)
        self._tell(steered)

    def _owned(self, tx: Transaction, token: str, session: str) -> Search:
        """The search of a session that holds. Raises: SessionSuperseded."""
        search = tokens.authorized(tx, token, tokens.search_of(session))
        if search.session != session:
            raise SessionSuperseded(search.name)
        return search

    def _charged(self, search: Search, unreachable_seconds: float, now: float) -> Search:
        if is_search_final(search.state):
            return search
        heard = self._heartbeats.last(search.name)
        return driving.charge(search, unreachable_seconds, heard or search.heartbeat_at, now)

    def _settle(
        self, tx: Transaction, before: Search, after: Search, known_revision: int
    ) -> tuple[Steered, Directive]:
        """Looks at the budget again, stores what changed, and says what to do now."""
        now = self._clock.now()
        standing = driving.stand(tx, after, now)
        final = standing.search
        if final != before and not is_search_final(before.state):
            final = replace(final, heartbeat_at=now)
        directive = driving.direct(replace(standing, search=final), known_revision, now)
        steered = store_change(tx, before, final, now)
        self._permits.settle(tx, before.name)
        if directive.mode is DirectiveMode.RUN:
            directive = replace(
                directive,
                startable=self._permits.startable(before.name),
                most_running=self._permits.most_running(before.name),
            )
        return steered, directive

    def _taught(self, tx: Transaction, search: Search, ended: Sequence[Trial]) -> Search:
        """The search with what its trials tell of its data."""
        told = [trial for trial in ended if self._catalog.grows_trees(trial.family)]
        if not told or is_search_final(search.state):
            return search
        return learned(self._gate, self._catalog, search, dataset_of(tx, search), told)

    def _retry(
        self, tx: Transaction, search: Search, trial: Trial, event: TrialEvent
    ) -> int | None:
        setting = self._gate.setting(search, dataset_of(tx, search), None)
        return next_reservation_bytes(trial, event, self._gate.cap_bytes(setting))

    def _tell(self, steered: Steered) -> None:
        if steered.ended is not None:
            steered.ended.tell(self._metrics)
            self._heartbeats.forget(steered.search.name)


def _as_stored(tx: Transaction, trials: Sequence[Trial]) -> list[Trial]:
    """The trials after the ledger has let some of them start."""
    return [tx.get(Trial, trial.name) or trial for trial in trials]
