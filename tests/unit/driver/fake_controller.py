"""A WorkerService in process: a scripted gate, a trial log, directives set by the test.

It follows the rules that a driver leans on: sessions fence, Admit is idempotent by candidate id, a
batch is decided in order, events are idempotent by trial, attempt and state.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from headgate.v1 import dataset_pb2, search_pb2, trial_pb2, worker_service_pb2
from headgate.v1 import worker_service_pb2_grpc as service

pb = worker_service_pb2
Trial = trial_pb2.Trial
Directive = pb.Directive
Gate = Callable[[pb.Candidate], trial_pb2.Verdict]

TOKEN = "secret-of-the-search"
SEARCH = "namespaces/default/searches/demo"
FINAL = frozenset(
    {Trial.SUCCEEDED, Trial.REJECTED, Trial.FAILED, Trial.INFEASIBLE, Trial.TIMED_OUT,
     Trial.CANCELLED}
)  # fmt: skip


def admitted(cpus: int = 1, memory_bytes: int = 1 << 28) -> trial_pb2.Verdict:
    reservation = trial_pb2.Reservation(cpus=cpus, memory_bytes=memory_bytes)
    return trial_pb2.Verdict(decision=trial_pb2.Verdict.ADMITTED, reservation=reservation)


def rejected(demand: float = 4e9, limit: float = 1e9, **fits_with: Any) -> trial_pb2.Verdict:
    verdict = trial_pb2.Verdict(
        decision=trial_pb2.Verdict.REJECTED,
        reason=trial_pb2.Verdict.EXCEEDS_TRIAL_LIMIT,
        demand=demand,
        limit=limit,
        limit_unit="bytes",
        message="it needs more than a trial may have",
    )
    if fits_with:
        verdict.fits_with.update(fits_with)
    return verdict


class FakeController(service.WorkerServiceServicer):
    """Thread-safe. gate: decides a candidate; all are admitted by default."""

    def __init__(self, gate: Gate | None = None, **opened: Any) -> None:
        self.changed = threading.Condition()
        self.gate: Gate = gate or (lambda candidate: admitted())
        self.opened = pb.OpenSessionResponse(
            search=search_pb2.Search(name=SEARCH, is_metric_maximized=True, metric="roc_auc"),
            dataset=dataset_pb2.Dataset(),
            reservation_sizes_bytes=[1 << 28],
            slots=1,
            **opened,
        )
        self.directive = Directive(mode=Directive.RUN, spec_revision=1)
        self.trials: list[Trial] = []
        self.candidate_ids: list[str] = []
        self.batches: list[int] = []
        self.events: list[pb.TrialEvent] = []
        self.phases: list[str] = []
        self.growths: list[pb.TreeGrowth] = []
        self.unreachable_seconds = 0.0
        self.finished: pb.FinishSearchRequest | None = None
        self._sessions = 0

    @property
    def spec(self) -> search_pb2.SearchSpec:
        return self.opened.search.spec

    def order(self, mode: Directive.Mode) -> None:
        """What drivers are told from now on."""
        with self.changed:
            self.directive.mode = mode

    def respec(self) -> None:
        """`spec` was changed: drivers are sent it."""
        with self.changed:
            self.directive.spec_revision += 1
            self.directive.spec.CopyFrom(self.spec)

    def wait_for(self, predicate: Callable[[], bool], timeout: float = 90.0) -> None:
        with self.changed:
            assert self.changed.wait_for(predicate, timeout), "the driver did not get there"

    def states(self) -> list[str]:
        with self.changed:
            return [Trial.State.Name(trial.state) for trial in self.trials]

    def count(self, *states: int) -> int:
        with self.changed:
            return sum(trial.state in states for trial in self.trials)

    def OpenSession(  # noqa: N802
        self, request: pb.OpenSessionRequest, context: grpc.ServicerContext
    ) -> pb.OpenSessionResponse:
        with self._call(context):
            self._sessions += 1
            self.opened.session = f"{request.search}#{self._sessions}"
            self.opened.directive.CopyFrom(self.directive)
            for trial in self.trials:
                if trial.state == Trial.RUNNING:
                    trial.state = Trial.ADMITTED
            return self.opened

    def ReplayTrials(  # noqa: N802
        self, request: pb.ReplayTrialsRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ReplayTrialsResponse]:
        with self._call(context, request.session):
            pairs = list(zip(self.trials, self.candidate_ids, strict=True))
        for trial, candidate_id in pairs:
            yield pb.ReplayTrialsResponse(trial=trial, candidate_id=candidate_id)

    def Admit(  # noqa: N802
        self, request: pb.AdmitRequest, context: grpc.ServicerContext
    ) -> pb.AdmitResponse:
        with self._call(context, request.session):
            self.batches.append(len(request.candidates))
            if self.directive.mode != Directive.RUN:
                return pb.AdmitResponse(directive=self.directive)
            trials = [self._decide(candidate) for candidate in request.candidates]
            return pb.AdmitResponse(trials=trials, directive=self.directive)

    def ReportTrials(  # noqa: N802
        self, request: pb.ReportTrialsRequest, context: grpc.ServicerContext
    ) -> pb.ReportTrialsResponse:
        with self._call(context, request.session):
            self.unreachable_seconds += request.unreachable.ToTimedelta().total_seconds()
            for event in request.events:
                self._store(event)
            return pb.ReportTrialsResponse(directive=self.directive)

    def Heartbeat(  # noqa: N802
        self, request: pb.HeartbeatRequest, context: grpc.ServicerContext
    ) -> pb.HeartbeatResponse:
        with self._call(context, request.session):
            self.unreachable_seconds += request.unreachable.ToTimedelta().total_seconds()
            self.phases.append(request.phase)
            return pb.HeartbeatResponse(directive=self.directive)

    def ReportProbe(  # noqa: N802
        self, request: pb.ReportProbeRequest, context: grpc.ServicerContext
    ) -> pb.ReportProbeResponse:
        with self._call(context, request.session):
            self.growths.extend(request.growths)
            return pb.ReportProbeResponse(
                reservation_sizes_bytes=self.opened.reservation_sizes_bytes
            )

    def FinishSearch(  # noqa: N802
        self, request: pb.FinishSearchRequest, context: grpc.ServicerContext
    ) -> pb.FinishSearchResponse:
        with self._call(context, request.session):
            self.finished = request
            return pb.FinishSearchResponse()

    def _decide(self, candidate: pb.Candidate) -> Trial:
        if candidate.candidate_id in self.candidate_ids:
            return self.trials[self.candidate_ids.index(candidate.candidate_id)]
        verdict = self.gate(candidate)
        is_in = verdict.decision == trial_pb2.Verdict.ADMITTED
        trial = Trial(
            name=f"{SEARCH}/trials/{len(self.trials)}",
            number=len(self.trials),
            state=Trial.ADMITTED if is_in else Trial.REJECTED,
            family=candidate.family,
            parameters=candidate.parameters,
            seed=candidate.seed,
            origin=candidate.origin,
            verdict=verdict,
        )
        self.trials.append(trial)
        self.candidate_ids.append(candidate.candidate_id)
        return trial

    def _store(self, event: pb.TrialEvent) -> None:
        self.events.append(event)
        trial = self.trials[event.number]
        if trial.state in FINAL:
            return
        trial.state = event.state
        trial.attempts = max(trial.attempts, event.attempt)
        if event.HasField("score"):
            trial.score = event.score
        trial.usage.CopyFrom(event.usage)
        trial.failure.CopyFrom(event.failure)

    @contextlib.contextmanager
    def _call(self, context: grpc.ServicerContext, session: str | None = None) -> Iterator[None]:
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {TOKEN}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no such token")
        with self.changed:
            if session is not None and session != self.opened.session:
                context.abort_with_status(_superseded())
            yield
            self.changed.notify_all()


@contextlib.contextmanager
def serving(fake: FakeController, address: str = "127.0.0.1:0") -> Iterator[str]:
    """Serves the fake; gives its address."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    service.add_WorkerServiceServicer_to_server(fake, server)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()


def _superseded() -> Any:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason="SESSION_SUPERSEDED", domain="headgate.dev"))
    return rpc_status.to_status(
        status_pb2.Status(code=code_pb2.ABORTED, message="superseded", details=[detail])
    )
