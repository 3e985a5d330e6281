"""The dataset service, with a reader in process."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.adapters.artifacts import FsArtifacts
from controller.adapters.sql_store import SqlStore
from controller.domain.errors import (
    AlreadyExists,
    EtagMismatch,
    HeadgateError,
    InvalidField,
    NotFound,
    ResourceExhausted,
)
from controller.domain.names import DatasetName, NamespaceName
from controller.domain.records import Dataset, Plan, Search, SearchSpec, Task
from controller.domain.states import SearchState
from controller.ports.metrics import NoMetrics
from controller.reader.read import read_table
from controller.reader.request import ReadRequest, ReadResult
from controller.service.datasets import DatasetInUse, DatasetService, Upload, Uri
from controller.service.etag import etag
from controller.service.paging import Pager
from controller.service.requests import RequestMemory

PARENT = NamespaceName("default")
GOOD = b"x,y\n1,a\n2,b\n3,a\n"
REQUEST_ID = "123e4567-e89b-12d3-a456-426614174000"


class FixedClock:
    def now(self) -> float:
        return 100.0


class CountingReader:
    def __init__(self) -> None:
        self.readings = 0

    def read(self, request: ReadRequest) -> ReadResult:
        self.readings += 1
        return read_table(request)


class House:
    """A dataset service with everything around it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = SqlStore("sqlite://")
        self.reader = CountingReader()
        clock = FixedClock()
        self.artifacts = FsArtifacts(str(root / "artifacts"))
        self.service = DatasetService(
            self.store,
            self.artifacts,
            self.reader,
            Pager(b"0123456789abcdef"),
            RequestMemory(clock, NoMetrics()),
            clock,
            root / "scratch",
            10_000,
        )

    def upload(
        self,
        content: bytes = GOOD,
        dataset_id: str = "d",
        name: str = "dir/t.csv",
        request_id: str = "",
        form: str = "",
    ) -> Dataset:
        path = self.service.open_upload()
        path.write_bytes(content)
        try:
            return self.service.create(PARENT, dataset_id, request_id, form, Upload(name, path))
        finally:
            path.unlink()

    def files(self) -> list[str]:
        return sorted(str(path) for path in self.root.rglob("*") if path.is_file())

    def add_search(self, dataset: Dataset, state: SearchState) -> Search:
        plan = Plan(Task.BINARY, "roc_auc", True, ("a", "b"), "b", ("x",), 3, 5, "5 folds")
        spec = SearchSpec(dataset.name, "y")
        search = Search("namespaces/default/searches/s", spec, plan, state, 1.0, "hash")
        with self.store.transaction() as tx:
            return tx.put(search)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.store.close()


def test_an_upload_becomes_a_dataset(house: House) -> None:
    dataset = house.upload()
    assert dataset.name == "namespaces/default/datasets/d"
    assert (dataset.source, dataset.format, dataset.rows) == ("dir/t.csv", "CSV", 3)
    assert dataset.created_at == 100.0
    assert [column.name for column in dataset.columns] == ["x", "y"]
    assert house.service.get(DatasetName("default", "d")) == dataset
    (stored,) = house.files()  # nothing else is left
    assert Path(stored).stat().st_size == dataset.stored_bytes
    assert house.artifacts.read(dataset.uri) == Path(stored).read_bytes()


def test_a_uri_becomes_a_dataset(house: House, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(GOOD)
    dataset = house.service.create(PARENT, "", "", "CSV", Uri(path.as_uri()))
    assert dataset.source == path.as_uri()
    assert DatasetName.parse(dataset.name).resource_id.startswith("dataset-")


def test_sklearn_becomes_a_dataset(house: House) -> None:
    dataset = house.service.create(PARENT, "iris", "", "", Uri("sklearn:iris"))
    assert (dataset.format, dataset.source, dataset.rows) == ("SKLEARN", "sklearn:iris", 150)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "EMPTY_TABLE"),
        (b"x,y\n1,2\n3\n", "RAGGED_ROWS"),
        (b"x,y\n1,2\n\xff,3\n", "WRONG_ENCODING"),
        (b"x,x\n1,2\n3,4\n", "DUPLICATE_COLUMNS"),
        (b"x,y\n1,inf\n3,4\n", "INFINITE_VALUES"),
    ],
)
def test_bad_tables_name_the_field_and_leave_nothing(
    house: House, content: bytes, reason: str
) -> None:
    with pytest.raises(InvalidField, match=r"^header\.upload_name: t\.csv: ") as caught:
        house.upload(content)
    assert caught.value.reason == reason
    assert caught.value.violations[0].field == "header.upload_name"
    assert house.files() == []
    with pytest.raises(NotFound):
        house.service.get(DatasetName("default", "d"))


def test_bad_uris_name_their_field(house: House) -> None:
    for uri in ("file:///no/such.csv", "sklearn:titanic", "/a/path.csv", ""):
        with pytest.raises(InvalidField) as caught:
            house.service.create(PARENT, "d", "", "", Uri(uri))
        assert caught.value.violations[0].field == "header.uri"


@pytest.mark.parametrize(
    ("form", "source", "field"),
    [
        ("XML", Uri("sklearn:iris"), "header.format"),
        ("CSV", Uri("sklearn:iris"), "header.format"),
        ("SKLEARN", Uri("file:///t.csv"), "header.format"),
        ("SKLEARN", Upload("t.csv", Path("t")), "header.format"),
        ("", Upload("", Path("t")), "header.upload_name"),
    ],
)
def test_fields_that_do_not_fit(house: House, form: str, source: Upload | Uri, field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        house.service.create(PARENT, "d", "", form, source)
    assert caught.value.violations[0].field == field
    assert house.reader.readings == 0


def test_a_bad_id_is_refused_before_reading(house: House) -> None:
    with pytest.raises(InvalidField) as caught:
        house.upload(dataset_id="Not An Id")
    assert caught.value.violations[0].field == "header.dataset_id"
    assert house.reader.readings == 0


def test_a_taken_id_is_refused_before_reading(house: House) -> None:
    first = house.upload()
    with pytest.raises(AlreadyExists):
        house.upload()
    assert house.reader.readings == 1
    assert house.service.get(DatasetName("default", "d")) == first


def test_too_large_uploads_are_refused(house: House) -> None:
    with pytest.raises(ResourceExhausted, match="raise the server's limit"):
        house.upload(GOOD + b"1,a\n" * 5000)
    assert house.files() == []


def test_a_repeated_request_returns_the_first_dataset(house: House) -> None:
    first = house.upload(dataset_id="", request_id=REQUEST_ID)
    assert house.upload(dataset_id="", request_id=REQUEST_ID) == first
    assert house.reader.readings == 1
    with pytest.raises(InvalidField, match="another request"):
        house.upload(GOOD + b"4,b\n", dataset_id="", request_id=REQUEST_ID)


def test_a_request_that_was_answered_while_reading_is_recalled(house: House) -> None:
    first: list[Dataset] = []
    read = house.reader.read

    def read_slowly(request: ReadRequest) -> ReadResult:
        if not first:
            house.reader.read = read  # type: ignore[method-assign]
            first.append(house.upload(request_id=REQUEST_ID))
        return read(request)

    house.reader.read = read_slowly  # type: ignore[method-assign]
    assert house.upload(request_id=REQUEST_ID) == first[0]
    assert len(house.files()) == 1


def test_an_id_that_was_taken_while_reading_is_refused(house: House) -> None:
    read = house.reader.read

    def read_slowly(request: ReadRequest) -> ReadResult:
        house.reader.read = read  # type: ignore[method-assign]
        house.upload()
        return read(request)

    house.reader.read = read_slowly  # type: ignore[method-assign]
    with pytest.raises(AlreadyExists):
        house.upload()
    assert len(house.files()) == 1


def test_lists_are_paged(house: House) -> None:
    for number in range(3):
        house.upload(dataset_id=f"d{number}")
    first, token = house.service.list(PARENT, 2, "")
    last, end = house.service.list(PARENT, 2, token)
    assert [dataset.name[-2:] for dataset in [*first, *last]] == ["d2", "d1", "d0"]
    assert end == ""
    with pytest.raises(InvalidField):
        house.service.list(NamespaceName("other"), 2, token)


def test_deleting_frees_the_disk(house: House) -> None:
    house.upload()
    house.service.delete(DatasetName("default", "d"), "")
    assert house.files() == []
    for again in (house.service.get, lambda name: house.service.delete(name, "")):
        with pytest.raises(NotFound):
            again(DatasetName("default", "d"))


def test_deleting_heeds_the_etag(house: House) -> None:
    dataset = house.upload()
    with pytest.raises(EtagMismatch):
        house.service.delete(DatasetName("default", "d"), "0" * 16)
    house.service.delete(DatasetName("default", "d"), etag(dataset))


@pytest.mark.parametrize("state", SearchState)
def test_a_dataset_in_use_stays(house: House, state: SearchState) -> None:
    search = house.add_search(house.upload(), state)
    name = DatasetName("default", "d")
    if state in (SearchState.SUCCEEDED, SearchState.FAILED, SearchState.CANCELLED):
        house.service.delete(name, "")
        return
    with pytest.raises(DatasetInUse, match=search.name) as caught:
        house.service.delete(name, "")
    assert caught.value.reason == "DATASET_IN_USE"
    assert len(house.files()) == 1


def test_a_deleted_dataset_is_not_recalled(house: House) -> None:
    house.upload(request_id=REQUEST_ID)
    house.service.delete(DatasetName("default", "d"), "")
    with pytest.raises(NotFound):
        house.upload(request_id=REQUEST_ID)


def test_a_sweep_deletes_only_what_nobody_names(house: House) -> None:
    dataset = house.upload()
    orphan = house.artifacts.uri("datasets", "default", f"x.{uuid.uuid4().hex}.parquet")
    source = house.root / "source"
    source.write_bytes(b"x")
    house.artifacts.put_file(source, orphan)
    source.unlink()
    house.service.open_upload().write_bytes(b"half")
    (house.root / "scratch" / "table-left").mkdir()
    assert house.service.sweep() == 3
    assert house.service.sweep() == 0
    assert len(house.files()) == 1
    assert house.artifacts.read(dataset.uri)


def test_a_failing_store_leaves_no_copy(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise HeadgateError("no")

    monkeypatch.setattr(house.service._requests, "remember", fail)
    with pytest.raises(HeadgateError):
        house.upload()
    assert house.files() == []


def test_the_profile_survives_the_store(house: House) -> None:
    dataset = house.upload()
    assert replace(house.service.get(DatasetName("default", "d"))) == dataset
