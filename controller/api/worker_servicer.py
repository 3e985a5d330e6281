"""WorkerService over gRPC: what drivers call."""
# ruff: noqa: D102, N802 -- names and documentation are the proto's

from __future__ import annotations

from collections.abc import AsyncIterator

from controller.api.calls import Threads
from controller.api.convert import from_duration
from controller.api.convert_trial import trial_to_proto
from controller.api.convert_worker import (
    assignment_to_proto,
    candidates_from_proto,
    directive_to_proto,
    events_from_proto,
    finish_from_proto,
    growths_from_proto,
    nodes_from_proto,
    replayed_trial_to_proto,
)
from controller.api.credentials import bearer_token
from controller.api.interceptors import Context
from controller.domain.names import SearchName
from controller.service.worker import WorkerService
from headgate.v1 import worker_service_pb2 as pb
from headgate.v1 import worker_service_pb2_grpc


class WorkerServicer(worker_service_pb2_grpc.WorkerServiceServicer):
    """Converts, calls, converts; every call with its token."""

    def __init__(self, service: WorkerService, threads: Threads) -> None:
        self._service = service
        self._threads = threads

    async def OpenSession(
        self, request: pb.OpenSessionRequest, context: Context
    ) -> pb.OpenSessionResponse:
        token = bearer_token(context)
        search = str(SearchName.parse(request.search, "search"))
        assignment = await self._threads.call(
            self._service.open_session, token, search, request.driver_id
        )
        return assignment_to_proto(assignment)

    async def ReplayTrials(
        self, request: pb.ReplayTrialsRequest, context: Context
    ) -> AsyncIterator[pb.ReplayTrialsResponse]:
        token = bearer_token(context)
        trials = await self._threads.call(self._service.replay, token, request.session)
        async for trial in self._threads.iterate(iter(trials)):
            yield replayed_trial_to_proto(trial)

    async def Admit(self, request: pb.AdmitRequest, context: Context) -> pb.AdmitResponse:
        token = bearer_token(context)
        candidates = candidates_from_proto(request.candidates)
        trials, directive = await self._threads.call(
            self._service.admit, token, request.session, candidates, request.spec_revision
        )
        return pb.AdmitResponse(
            trials=[trial_to_proto(each) for each in trials],
            directive=directive_to_proto(directive),
        )

    async def ReportTrials(
        self, request: pb.ReportTrialsRequest, context: Context
    ) -> pb.ReportTrialsResponse:
        trials, directive = await self._threads.call(
            self._service.report,
            bearer_token(context),
            request.session,
            events_from_proto(request.events),
            from_duration(request.unreachable),
        )
        return pb.ReportTrialsResponse(
            directive=directive_to_proto(directive),
            trials=[trial_to_proto(each) for each in trials],
        )

    async def ReportProbe(
        self, request: pb.ReportProbeRequest, context: Context
    ) -> pb.ReportProbeResponse:
        growths = growths_from_proto(request.growths)
        sizes = await self._threads.call(
            self._service.report_probe, bearer_token(context), request.session, growths
        )
        return pb.ReportProbeResponse(reservation_sizes_bytes=sizes)

    async def Heartbeat(
        self, request: pb.HeartbeatRequest, context: Context
    ) -> pb.HeartbeatResponse:
        directive = await self._threads.call(
            self._service.heartbeat,
            bearer_token(context),
            request.session,
            request.spec_revision,
            request.phase,
            from_duration(request.unreachable),
            nodes_from_proto(request.nodes),
        )
        return pb.HeartbeatResponse(directive=directive_to_proto(directive))

    async def FinishSearch(
        self, request: pb.FinishSearchRequest, context: Context
    ) -> pb.FinishSearchResponse:
        token = bearer_token(context)
        outcome = finish_from_proto(request)
        await self._threads.call(self._service.finish, token, request.session, outcome)
        return pb.FinishSearchResponse()
