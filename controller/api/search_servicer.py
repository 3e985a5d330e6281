"""SearchService over gRPC."""
# ruff: noqa: D102, N802 -- names and documentation are the proto's

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from google.protobuf import empty_pb2

from controller.api.calls import Drain, Threads
from controller.api.convert_plan import plan_to_proto
from controller.api.convert_search import search_to_proto, spec_from_proto
from controller.api.convert_space import space_to_proto
from controller.api.convert_trial import states_from_proto, trial_to_proto
from controller.api.interceptors import Context
from controller.api.pages import fitting_page
from controller.domain.names import NamespaceName, SearchName, TrialName
from controller.service.driver_logs import DriverLogs
from controller.service.searches import SearchService
from controller.service.views import SearchView, WatchStep
from controller.service.watch import WatchService
from headgate.v1 import search_pb2, search_service_pb2_grpc, trial_pb2
from headgate.v1 import search_service_pb2 as pb


class SearchServicer(search_service_pb2_grpc.SearchServiceServicer):
    """Converts, calls, converts."""

    def __init__(
        self,
        service: SearchService,
        watch: WatchService,
        logs: DriverLogs,
        threads: Threads,
        drain: Drain,
    ) -> None:
        self._service = service
        self._logs = logs
        self._watch = watch
        self._threads = threads
        self._drain = drain

    async def CreateSearch(
        self, request: pb.CreateSearchRequest, _context: Context
    ) -> search_pb2.Search:
        created = await self._threads.call(
            self._service.create,
            NamespaceName.parse(request.parent),
            request.search_id,
            spec_from_proto(request.search.spec),
            request.request_id,
            request.validate_only,
        )
        return _view(created)

    async def GetSearch(self, request: pb.GetSearchRequest, _context: Context) -> search_pb2.Search:
        name = SearchName.parse(request.name)
        return _view(await self._threads.call(self._service.get, name))

    async def ListSearches(
        self, request: pb.ListSearchesRequest, _context: Context
    ) -> pb.ListSearchesResponse:
        parent = NamespaceName.parse(request.parent)
        searches, token = await fitting_page(
            request.page_size,
            lambda size: self._threads.call(self._service.list, parent, size, request.page_token),
            _view,
        )
        return pb.ListSearchesResponse(searches=searches, next_page_token=token)

    async def WatchSearch(
        self, request: pb.WatchSearchRequest, _context: Context
    ) -> AsyncIterator[pb.WatchSearchResponse]:
        name = SearchName.parse(request.name)
        steps = self._watch.watch(name, request.resume_token)
        async for step in self._drain.until_begun(steps):
            yield _step(step)

    async def CancelSearch(
        self, request: pb.CancelSearchRequest, _context: Context
    ) -> search_pb2.Search:
        return await self._steer(self._service.cancel, request.name, request.etag)

    async def PauseSearch(
        self, request: pb.PauseSearchRequest, _context: Context
    ) -> search_pb2.Search:
        return await self._steer(self._service.pause, request.name, request.etag)

    async def ResumeSearch(
        self, request: pb.ResumeSearchRequest, _context: Context
    ) -> search_pb2.Search:
        return await self._steer(self._service.resume, request.name, request.etag)

    async def StopSearch(
        self, request: pb.StopSearchRequest, _context: Context
    ) -> search_pb2.Search:
        return await self._steer(self._service.stop, request.name, request.etag)

    async def UpdateSearch(
        self, request: pb.UpdateSearchRequest, _context: Context
    ) -> search_pb2.Search:
        updated = await self._threads.call(
            self._service.update,
            SearchName.parse(request.search.name, "search.name"),
            spec_from_proto(request.search.spec),
            tuple(request.update_mask.paths),
            request.search.etag,
        )
        return _view(updated)

    async def DeleteSearch(
        self, request: pb.DeleteSearchRequest, _context: Context
    ) -> empty_pb2.Empty:
        name = SearchName.parse(request.name)
        await self._threads.call(self._service.delete, name, request.etag)
        return empty_pb2.Empty()

    async def PlanSearch(
        self, request: pb.PlanSearchRequest, _context: Context
    ) -> pb.PlanSearchResponse:
        parent = NamespaceName.parse(request.parent)
        spec = spec_from_proto(request.search.spec)
        return plan_to_proto(await self._threads.call(self._service.plan, parent, spec))

    async def GetTrial(self, request: pb.GetTrialRequest, _context: Context) -> trial_pb2.Trial:
        name = TrialName.parse(request.name)
        return trial_to_proto(await self._threads.call(self._service.get_trial, name))

    async def ListTrials(
        self, request: pb.ListTrialsRequest, _context: Context
    ) -> pb.ListTrialsResponse:
        parent = SearchName.parse(request.parent, "parent")
        states = states_from_proto(request.states, "states")
        trials, token = await fitting_page(
            request.page_size,
            lambda size: self._threads.call(
                self._service.list_trials, parent, size, request.page_token, states
            ),
            trial_to_proto,
        )
        return pb.ListTrialsResponse(trials=trials, next_page_token=token)

    async def GetSearchSpace(
        self, request: pb.GetSearchSpaceRequest, _context: Context
    ) -> search_pb2.SearchSpace:
        families = tuple(request.families)
        documented = await self._threads.call(self._service.space, families)
        return space_to_proto(documented.space, documented.descriptions)

    async def GetSearchLog(
        self, request: pb.GetSearchLogRequest, _context: Context
    ) -> pb.GetSearchLogResponse:
        name = SearchName.parse(request.name)
        return pb.GetSearchLogResponse(text=await self._logs.text(name))

    async def _steer(
        self, verb: Callable[[SearchName, str], SearchView], name: str, etag: str
    ) -> search_pb2.Search:
        return _view(await self._threads.call(verb, SearchName.parse(name), etag))


def _view(view: SearchView) -> search_pb2.Search:
    return search_to_proto(view.search, view.progress)


def _step(step: WatchStep) -> pb.WatchSearchResponse:
    return pb.WatchSearchResponse(
        search=None if step.search_view is None else _view(step.search_view),
        trials=[trial_to_proto(each) for each in step.trials],
        resume_token=step.resume_token,
        is_heartbeat=step.is_heartbeat,
    )
