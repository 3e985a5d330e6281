"""A request that is too large is refused with a reason, before anything of it is done."""

from __future__ import annotations

import grpc
import pytest

from controller.domain.records import Dataset
from controller.in_process import InProcessController
from headgate.v1 import search_pb2, search_service_pb2
from tests.api.wire import PARENT, Refuses, Stubs

LARGE = "x" * (5 * 1024 * 1024)


def test_a_large_request_is_refused_with_a_reason(
    stubs: Stubs, refused: Refuses, people: Dataset, controller: InProcessController
) -> None:
    search = search_pb2.Search(spec=search_pb2.SearchSpec(dataset=people.name, metric=LARGE))
    request = search_service_pb2.CreateSearchRequest(parent=PARENT, search=search)
    refusal = refused(stubs.searches.CreateSearch, request)
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refusal.metadata == {
        "size_bytes": str(request.ByteSize()),
        "limit_bytes": str(4 * 1024 * 1024),
    }
    assert "send less" in refusal.message
    controller.drain()  # the call has been counted then
    code = {"method": "SearchService/CreateSearch", "code": "RESOURCE_EXHAUSTED"}
    assert controller.registry.get_sample_value("headgate_grpc_requests_total", code) == 1


def test_so_is_one_for_a_stream_of_answers(stubs: Stubs, refused: Refuses) -> None:
    request = search_service_pb2.WatchSearchRequest(name=LARGE)
    assert refused(stubs.searches.WatchSearch, request).metadata["limit_bytes"] == str(4 << 20)


def test_beyond_what_grpc_reads_it_is_refused_by_grpc(stubs: Stubs) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stubs.searches.GetSearch(search_service_pb2.GetSearchRequest(name=LARGE * 4))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
