"""The driver's line to the controller: WorkerService over gRPC, synchronous, patient.

A controller that is away is waited for without end: it can be restarted at any time, and results
wait on disk meanwhile. A controller that refuses is final: `SearchOver`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from headgate.v1 import model_pb2, worker_service_pb2, worker_service_pb2_grpc
from workers.driver.outage import Outage

log = logging.getLogger("headgate.driver")

CALL_SECONDS = 20.0
"""Deadline of one attempt of a call."""
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 2.0
"""Pauses between attempts double from the first to the longest: a controller that is back is found
within two seconds."""
REFUSALS = 5
"""An answer that may be the controller's fault (INTERNAL) is asked for so often, then it counts."""

_AWAY = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
)
_OVER = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
    }
)
_CHANNEL = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.max_receive_message_length", 64 << 20),
)

_Response = TypeVar("_Response")


class SearchOver(Exception):
    """Nothing more to do for this driver: superseded, not let in, or the search has ended."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason


class ControllerRefused(Exception):
    """The controller answers, but not with what a driver can work with."""


class ControllerClient:
    """Thread-safe. Every method blocks until the controller has answered.

    target: HOST:PORT. Methods raise: SearchOver, ControllerRefused.
    """

    def __init__(
        self,
        target: str,
        token: str,
        has_work: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channel = grpc.insecure_channel(target, options=list(_CHANNEL))
        self._stub = worker_service_pb2_grpc.WorkerServiceStub(self._channel)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._clock = clock
        self._outage = Outage(clock, has_work)
        self._closed = threading.Event()
        self._session = ""
        self._phase = ""
        self._is_away = False

    def open_session(self, search: str, driver_id: str) -> worker_service_pb2.OpenSessionResponse:
        """Takes the search over."""
        request = worker_service_pb2.OpenSessionRequest(search=search, driver_id=driver_id)
        response = self._patiently(lambda: self._send(self._stub.OpenSession, request))
        self._session = response.session
        return response

    def replay(self) -> list[worker_service_pb2.ReplayTrialsResponse]:
        """All trials of the search by number."""
        request = worker_service_pb2.ReplayTrialsRequest(session=self._session)
        return self._patiently(lambda: list(self._send(self._stub.ReplayTrials, request)))

    def admit(
        self, candidates: Sequence[worker_service_pb2.Candidate], spec_revision: int
    ) -> worker_service_pb2.AdmitResponse:
        """Asks the gate; time without a controller is told first, so that it is not charged."""
        request = worker_service_pb2.AdmitRequest(
            session=self._session, candidates=candidates, spec_revision=spec_revision
        )

        def attempt() -> worker_service_pb2.AdmitResponse:
            if self._outage.is_noteworthy:
                self._heartbeat(spec_revision, self._phase)
            return self._send(self._stub.Admit, request)

        return self._patiently(attempt)

    def report(
        self, events: Sequence[worker_service_pb2.TrialEvent]
    ) -> worker_service_pb2.ReportTrialsResponse:
        """Stores what happened; gives what became of the trials."""

        def attempt(unreachable: duration_pb2.Duration) -> worker_service_pb2.ReportTrialsResponse:
            request = worker_service_pb2.ReportTrialsRequest(
                session=self._session, events=events, unreachable=unreachable
            )
            return self._send(self._stub.ReportTrials, request)

        return self._patiently(lambda: self._carrying(attempt))

    def heartbeat(
        self,
        spec_revision: int,
        phase: str,
        nodes: Sequence[worker_service_pb2.NodeReport] = (),
    ) -> worker_service_pb2.Directive:
        """Says that the driver is alive, and what agents measured on their nodes."""
        return self._patiently(lambda: self._heartbeat(spec_revision, phase, nodes)).directive

    def report_probe(
        self, growths: Sequence[worker_service_pb2.TreeGrowth]
    ) -> worker_service_pb2.ReportProbeResponse:
        """Tells how large trees grew."""
        request = worker_service_pb2.ReportProbeRequest(session=self._session, growths=growths)
        return self._patiently(lambda: self._send(self._stub.ReportProbe, request))

    def finish(
        self,
        model: model_pb2.Model | None = None,
        error: str | None = None,
        is_cancelled: bool = False,
    ) -> None:
        """Ends the search, with exactly one of the three."""
        request = worker_service_pb2.FinishSearchRequest(session=self._session)
        if model is not None:
            request.model.CopyFrom(model)
        elif error is not None:
            request.error = error
        else:
            request.cancelled = is_cancelled
        self._patiently(lambda: self._send(self._stub.FinishSearch, request))

    def close(self) -> None:
        """Ends all calls: those that wait raise SearchOver."""
        self._closed.set()
        self._channel.close()

    def _heartbeat(
        self,
        spec_revision: int,
        phase: str,
        nodes: Sequence[worker_service_pb2.NodeReport] = (),
    ) -> worker_service_pb2.HeartbeatResponse:
        self._phase = phase

        def attempt(unreachable: duration_pb2.Duration) -> worker_service_pb2.HeartbeatResponse:
            request = worker_service_pb2.HeartbeatRequest(
                session=self._session,
                spec_revision=spec_revision,
                phase=phase,
                unreachable=unreachable,
                nodes=nodes,
            )
            return self._send(self._stub.Heartbeat, request)

        return self._carrying(attempt)

    def _carrying(self, attempt: Callable[[duration_pb2.Duration], _Response]) -> _Response:
        """Sends along the seconds without a controller, once."""
        seconds = self._outage.take()
        unreachable = duration_pb2.Duration()
        unreachable.FromNanoseconds(int(seconds * 1e9))
        try:
            return attempt(unreachable)
        except grpc.RpcError:
            self._outage.give_back(seconds)
            raise

    def _send(self, method: Callable[..., _Response], request: object) -> _Response:
        return method(request, metadata=self._metadata, timeout=CALL_SECONDS)

    def _patiently(self, attempt: Callable[[], _Response]) -> _Response:
        delay, refusals = FIRST_DELAY_SECONDS, 0
        while not self._closed.is_set():
            started = self._clock()
            try:
                response = attempt()
            except grpc.RpcError as error:
                refusals += self._judge(error, started)
                if refusals >= REFUSALS:
                    raise ControllerRefused(_describe(error)) from error
            except ValueError as error:
                # gRPC's word for a channel that was closed under a call.
                raise SearchOver("CLOSED", str(error)) from error
            else:
                self._note_back()
                self._outage.succeeded()
                return response
            self._closed.wait(delay)
            delay = min(2 * delay, LONGEST_DELAY_SECONDS)
        raise SearchOver("CLOSED", "this driver is ending")

    def _judge(self, error: Any, started: float) -> int:
        """1 for a refusal that may be repeated, 0 for a controller that is away.

        Raises: SearchOver.
        """
        code = error.code()
        if code in _OVER:
            raise SearchOver(_reason(error) or code.name, error.details() or "") from error
        if code not in _AWAY:
            return 1
        self._outage.failed(started)
        if not self._is_away:
            self._is_away = True
            log.warning("the controller is away; results wait on disk: %s", error.details())
        return 0

    def _note_back(self) -> None:
        if self._is_away:
            self._is_away = False
            log.info("the controller is back")


def _reason(error: Any) -> str:
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def _describe(error: Any) -> str:
    return f"{error.code().name}: {error.details()}"
