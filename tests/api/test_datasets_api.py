"""DatasetService over the wire, its upload stream above all."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from controller.api.settings import ApiSettings
from controller.domain.records import Dataset
from controller.in_process import InProcessController
from headgate.v1 import dataset_pb2, dataset_service_pb2_grpc
from headgate.v1 import dataset_service_pb2 as pb
from tests.api.wire import PARENT, Refuses, Stubs

CSV = b"age,churned\n" + b"".join(b"%d,%s\n" % (i, b"yes" if i % 3 else b"no") for i in range(50))


def header(**fields: object) -> pb.CreateDatasetRequest:
    values = {"parent": PARENT, "dataset_id": "people", "upload_name": "people.csv", **fields}
    return pb.CreateDatasetRequest(header=pb.CreateDatasetHeader(**values))  # type: ignore[arg-type]


def chunk(data: bytes) -> pb.CreateDatasetRequest:
    return pb.CreateDatasetRequest(chunk=data)


def upload(stubs: Stubs, *parts: pb.CreateDatasetRequest) -> dataset_pb2.Dataset:
    answer: dataset_pb2.Dataset = stubs.datasets.CreateDataset(iter(parts))
    return answer


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_an_uploaded_table_is_profiled_stored_and_deleted(
    controller: InProcessController, stubs: Stubs, refused: Refuses
) -> None:
    made = upload(stubs, header(), chunk(CSV[:100]), chunk(b""), chunk(CSV[100:]))
    assert made.name == f"{PARENT}/datasets/people"
    assert made.format == dataset_pb2.TABLE_FORMAT_CSV
    assert (made.profile.rows, len(made.profile.columns)) == (50, 2)
    assert files_below(controller.scratch) == []
    assert stubs.datasets.GetDataset(pb.GetDatasetRequest(name=made.name)) == made
    listed = stubs.datasets.ListDatasets(pb.ListDatasetsRequest(parent=PARENT))
    assert [each.name for each in listed.datasets] == [made.name]
    stale = refused(
        stubs.datasets.DeleteDataset, pb.DeleteDatasetRequest(name=made.name, etag="stale")
    )
    assert (stale.code, stale.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    stubs.datasets.DeleteDataset(pb.DeleteDatasetRequest(name=made.name, etag=made.etag))
    gone = refused(stubs.datasets.GetDataset, pb.GetDatasetRequest(name=made.name))
    assert (gone.code, gone.resource_type) == (grpc.StatusCode.NOT_FOUND, "headgate.v1/Dataset")


def test_a_table_is_read_by_its_uri(stubs: Stubs, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(CSV)
    made = upload(stubs, header(uri=path.as_uri()))
    assert made.profile.rows == 50


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([], "header"),
        ([chunk(b"a,b\n")], "header"),
        ([pb.CreateDatasetRequest()], "header"),
        ([header(), header()], "header"),
        ([header(), pb.CreateDatasetRequest()], "header"),
        ([header(uri="file:///x.csv"), chunk(b"a")], "chunk"),
        ([header(), chunk(b"x" * (1024 * 1024 + 1))], "chunk"),
        ([header(parent="default"), chunk(CSV)], "header.parent"),
        ([header(format=99), chunk(CSV)], "header.format"),
        (
            [pb.CreateDatasetRequest(header=pb.CreateDatasetHeader(parent=PARENT))],
            "header.uri",
        ),
    ],
)
def test_a_stream_that_is_none_is_refused_by_its_field(
    controller: InProcessController,
    stubs: Stubs,
    refused: Refuses,
    parts: list[pb.CreateDatasetRequest],
    field: str,
) -> None:
    refusal = refused(stubs.datasets.CreateDataset, iter(parts))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.fields == (field,)
    assert refusal.reason
    assert files_below(controller.scratch) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "EMPTY_TABLE"),
        (b"a,b\n", "EMPTY_TABLE"),
        (b"a,a\n1,2\n3,4\n", "DUPLICATE_COLUMNS"),
        (b"a,b\n1,2\n3\n", "RAGGED_ROWS"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_reason(
    controller: InProcessController, stubs: Stubs, refused: Refuses, content: bytes, reason: str
) -> None:
    refusal = refused(stubs.datasets.CreateDataset, iter([header(), chunk(content)]))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert len(refusal.fields) == 1
    assert "\n" not in refusal.message
    assert files_below(controller.scratch) == []
    assert stubs.datasets.ListDatasets(pb.ListDatasetsRequest(parent=PARENT)).datasets == []


def test_an_id_that_is_taken_is_refused(stubs: Stubs, refused: Refuses, people: Dataset) -> None:
    refusal = refused(stubs.datasets.CreateDataset, iter([header(), chunk(CSV)]))
    assert refusal.code is grpc.StatusCode.ALREADY_EXISTS
    assert refusal.metadata["resource"] == people.name


def test_the_same_request_id_gives_the_first_dataset(stubs: Stubs, refused: Refuses) -> None:
    request_id = str(uuid.uuid4())
    first = upload(stubs, header(request_id=request_id, dataset_id=""), chunk(CSV))
    again = upload(stubs, header(request_id=request_id, dataset_id=""), chunk(CSV))
    assert again == first
    other = refused(
        stubs.datasets.CreateDataset,
        iter([header(request_id=request_id, dataset_id="other"), chunk(CSV)]),
    )
    assert (other.code, other.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ("request_id",))


def test_an_upload_beyond_the_limit_is_refused_while_it_comes(
    tmp_path: Path, refused: Refuses
) -> None:
    settings = ApiSettings(max_upload_bytes=1_000, drain_seconds=1.0)
    with (
        InProcessController(tmp_path / "small", settings) as controller,
        grpc.insecure_channel(controller.address) as channel,
    ):
        stub = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        refusal = refused(stub.CreateDataset, endless(header(), chunk(b"x" * 600)))
        assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refusal.metadata["limit_bytes"] == "1000"
        assert "uri" in refusal.message, "it says what to do instead"
        assert files_below(controller.scratch) == []


def endless(
    first: pb.CreateDatasetRequest, others: pb.CreateDatasetRequest
) -> Iterator[pb.CreateDatasetRequest]:
    yield first
    while True:
        yield others


def test_a_chunk_beyond_the_limit_is_refused(stubs: Stubs, refused: Refuses) -> None:
    refusal = refused(upload, stubs, header(), chunk(b"x" * (5 * 1024 * 1024)))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.fields == ("chunk",)


def test_beyond_what_grpc_reads_a_message_is_refused_by_grpc(stubs: Stubs) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        upload(stubs, header(), chunk(b"x" * (17 * 1024 * 1024)))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.fixture
def ended(controller: InProcessController, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when the server is done with a call."""
    event, rpc_ended = threading.Event(), controller.metrics.rpc_ended

    def noting(method: str, code: str, seconds: float) -> None:
        rpc_ended(method, code, seconds)
        event.set()

    monkeypatch.setattr(controller.metrics, "rpc_ended", noting)
    return event


def test_a_client_that_goes_away_leaves_no_file(
    controller: InProcessController,
    stubs: Stubs,
    ended: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_open, hold = threading.Event(), threading.Event()
    chosen: list[Path] = []
    open_upload = controller.services.datasets.open_upload

    def noting() -> Path:
        chosen.append(open_upload())
        chosen[0].touch()
        is_open.set()
        return chosen[0]

    monkeypatch.setattr(controller.services.datasets, "open_upload", noting)

    def parts() -> Iterator[pb.CreateDatasetRequest]:
        yield header()
        yield chunk(b"x" * 1_000)
        hold.wait()

    call = stubs.datasets.CreateDataset.future(parts())
    assert is_open.wait(30)
    assert chosen[0].exists()
    call.cancel()
    assert ended.wait(30)
    hold.set()
    assert files_below(controller.scratch) == []
    labels = {"method": "DatasetService/CreateDataset", "code": "CANCELLED"}
    assert controller.registry.get_sample_value("headgate_grpc_requests_total", labels) == 1


def test_half_a_file_of_a_client_that_went_away_is_not_taken_for_a_whole_one(
    controller: InProcessController, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, sent, hold = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
    created: list[object] = []
    monkeypatch.setattr(controller.services.datasets, "create", lambda *args: created.append(args))
    monkeypatch.setattr(controller.metrics, "rpc_ended", lambda *_args: ended.release())

    def half() -> Iterator[pb.CreateDatasetRequest]:
        yield header()
        yield chunk(CSV[:100])
        sent.release()
        hold.wait()

    for _attempt in range(20):
        call = stubs.datasets.CreateDataset.future(half())
        assert sent.acquire(timeout=30)
        call.cancel()
        assert ended.acquire(timeout=30)
    hold.set()
    assert created == []
    assert files_below(controller.scratch) == []


def test_a_table_that_is_being_read_is_read_to_the_end_for_the_next_call(
    controller: InProcessController,
    stubs: Stubs,
    ended: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_reading, release, is_read = threading.Event(), threading.Event(), threading.Event()
    create = controller.services.datasets.create

    def slow_create(*arguments: Any) -> Dataset:
        is_reading.set()
        assert release.wait(30)
        try:
            return create(*arguments)
        finally:
            is_read.set()

    monkeypatch.setattr(controller.services.datasets, "create", slow_create)
    request_id = str(uuid.uuid4())
    parts = [header(request_id=request_id, dataset_id=""), chunk(CSV)]
    call = stubs.datasets.CreateDataset.future(iter(parts))
    assert is_reading.wait(30)
    call.cancel()
    assert ended.wait(30)
    release.set()
    assert is_read.wait(30)
    again = upload(stubs, *parts)
    listed = stubs.datasets.ListDatasets(pb.ListDatasetsRequest(parent=PARENT))
    assert [each.name for each in listed.datasets] == [again.name]
    assert files_below(controller.scratch) == []


def test_a_bad_header_is_refused_before_the_file_is_taken_in(
    stubs: Stubs, refused: Refuses
) -> None:
    refusal = refused(stubs.datasets.CreateDataset, endless(header(parent="x"), chunk(b"x")))
    assert refusal.fields == ("header.parent",)


def test_a_given_format_beats_the_name(stubs: Stubs, refused: Refuses) -> None:
    lines = b'{"age": 1, "churned": "no"}\n{"age": 2, "churned": "yes"}\n'
    made = upload(stubs, header(format="TABLE_FORMAT_JSON_LINES"), chunk(lines))
    assert made.format == dataset_pb2.TABLE_FORMAT_JSON_LINES
    assert [column.name for column in made.profile.columns] == ["age", "churned"]
    wrong = header(format="TABLE_FORMAT_PARQUET", dataset_id="other")
    refusal = refused(upload, stubs, wrong, chunk(CSV))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
