"""Takes in tables: reads them in a child, keeps a typed copy, remembers what was found."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from controller.domain.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidField,
    NotFound,
    ResourceExhausted,
)
from controller.domain.names import DatasetName, NamespaceName, check_id
from controller.domain.records import Dataset, Search
from controller.domain.states import is_search_final
from controller.ports.artifacts import Artifacts
from controller.ports.clock import Clock
from controller.ports.store import Store, Transaction
from controller.reader.request import ReadRequest, ReadResult, TableError, TableFormat
from controller.service.etag import check_etag
from controller.service.paging import Pager
from controller.service.requests import RequestMemory, fingerprint

_CREATE = "DatasetService.CreateDataset"
_LIST = "DatasetService.ListDatasets"
_DIRECTORY = "datasets"
_SKLEARN = "sklearn:"


@dataclass(frozen=True)
class Upload:
    """A complete local copy of what the caller sent. name: the file's name with the caller."""

    name: str
    path: Path


@dataclass(frozen=True)
class Uri:
    """A file that the server fetches, or `sklearn:NAME`."""

    uri: str


class Reader(Protocol):
    """Reads tables; `controller.reader.runner.ReaderProcess` is one."""

    def read(self, request: ReadRequest) -> ReadResult:
        """Raises: TableError, ResourceExhausted."""
        ...


class DatasetInUse(FailedPrecondition):
    """A search that has not ended learns from the dataset."""

    reason = "DATASET_IN_USE"

    def __init__(self, name: str, search: str) -> None:
        super().__init__(
            f"{name} is used by {search}; cancel that search or wait for its end",
            resource=name,
            search=search,
        )


class DatasetService:
    """Creates, gets, lists and deletes datasets.

    scratch: local directory for files in work; created if missing. max_upload_bytes: largest table
    taken in, by upload or URI.
    """

    def __init__(
        self,
        store: Store,
        artifacts: Artifacts,
        reader: Reader,
        pager: Pager,
        requests: RequestMemory,
        clock: Clock,
        scratch: Path,
        max_upload_bytes: int,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._reader = reader
        self._pager = pager
        self._requests = requests
        self._clock = clock
        self._scratch = scratch
        self._max_upload_bytes = max_upload_bytes
        scratch.mkdir(parents=True, exist_ok=True)

    def open_upload(self) -> Path:
        """A path for an upload; the file does not exist yet. Does not block."""
        return self._scratch / f"upload-{uuid.uuid4().hex}"

    def create(
        self,
        parent: NamespaceName,
        dataset_id: str,
        request_id: str,
        format: str,  # noqa: A002 - the field's name in the API
        source: Upload | Uri,
    ) -> Dataset:
        """Reads and stores a table; nothing is kept on failure. Blocks as long as reading takes.

        format: a name of `TableFormat`, empty to find out. Idempotent under `request_id`. Raises:
        InvalidField (a field or the table is wrong), AlreadyExists, ResourceExhausted (too large).
        """
        asked = _checked_format(format, source)
        name = _name(parent, dataset_id)
        payload = self._payload(parent, dataset_id, request_id, format, source)
        with self._store.transaction() as tx:
            known = self._recall(tx, request_id, payload)
            if known is not None:
                return known
            _check_free(tx, name)
        with TemporaryDirectory(dir=self._scratch, prefix="table-") as directory:
            copy = Path(directory) / "table.parquet"
            result = self._read(source, asked, Path(directory), copy)
            uri = self._artifacts.uri(
                _DIRECTORY, parent.namespace_id, f"{name.resource_id}.{uuid.uuid4().hex}.parquet"
            )
            stored_bytes = self._artifacts.put_file(copy, uri)
        dataset = self._record(name, source, result, uri, stored_bytes)
        try:
            with self._store.transaction() as tx:
                known = self._recall(tx, request_id, payload)
                if known is None:
                    _check_free(tx, name)
                    self._requests.remember(tx, request_id, _CREATE, payload, str(name))
                    return tx.put(dataset)
        except BaseException:
            self._artifacts.delete(uri)
            raise
        self._artifacts.delete(uri)
        return known

    def get(self, name: DatasetName) -> Dataset:
        """Raises: NotFound."""
        with self._store.transaction() as tx:
            return _found(tx, str(name))

    def list(
        self, parent: NamespaceName, page_size: int, page_token: str
    ) -> tuple[list[Dataset], str]:
        """A page, newest first, and the token of the next. Raises: InvalidField."""
        page = self._pager.page(page_size, page_token, _LIST, str(parent))
        with self._store.transaction() as tx:
            records, next_after = tx.list_page(Dataset, parent.namespace_id, page)
        return records, self._pager.token(next_after, _LIST, str(parent))

    def delete(self, name: DatasetName, etag: str) -> None:
        """Deletes a dataset and frees its disk. Raises: NotFound, EtagMismatch, DatasetInUse."""
        with self._store.transaction() as tx:
            dataset = _found(tx, str(name))
            check_etag(dataset, etag)
            for search in tx.list_all(Search):
                if search.spec.dataset == dataset.name and not is_search_final(search.state):
                    raise DatasetInUse(dataset.name, search.name)
            tx.delete(Dataset, dataset.name)
        self._artifacts.delete(dataset.uri)

    def sweep(self) -> int:
        """Deletes what a killed controller left: files in work, copies that no dataset names.

        Call once before serving. Returns the number of things deleted.
        """
        left = [*self._scratch.glob("upload-*"), *self._scratch.glob("table-*")]
        left += self._scratch.glob("read-*")
        for path in left:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        with self._store.transaction() as tx:
            wanted = {dataset.uri for dataset in tx.list_all(Dataset)}
        files = self._artifacts.list_files(self._artifacts.uri(_DIRECTORY))
        stored = {self._artifacts.uri(_DIRECTORY, *file.split("/")) for file in files}
        for uri in stored - wanted:
            self._artifacts.delete(uri)
        return len(left) + len(stored - wanted)

    def _payload(
        self,
        parent: NamespaceName,
        dataset_id: str,
        request_id: str,
        format: str,  # noqa: A002
        source: Upload | Uri,
    ) -> str:
        """The call's fingerprint; with the upload's bytes in it, as they are part of the call."""
        if not request_id:
            return ""
        if isinstance(source, Uri):
            return fingerprint(str(parent), dataset_id, format, "uri", source.uri)
        with source.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return fingerprint(str(parent), dataset_id, format, "upload", source.name, digest)

    def _recall(self, tx: Transaction, request_id: str, payload: str) -> Dataset | None:
        """The dataset that the same request made. Raises: NotFound when it was deleted since."""
        name = self._requests.recall(tx, request_id, _CREATE, payload)
        return None if name is None else _found(tx, name)

    def _read(
        self, source: Upload | Uri, asked: TableFormat, directory: Path, copy: Path
    ) -> ReadResult:
        location = source.uri if isinstance(source, Uri) else str(source.path)
        field = "header.uri" if isinstance(source, Uri) else "header.upload_name"
        if isinstance(source, Upload):
            self._check_size(source)
        request = ReadRequest(
            location, _title(source), asked, str(copy), str(directory), self._max_upload_bytes
        )
        try:
            return self._reader.read(request)
        except TableError as error:
            raise InvalidField(
                field, f"{_title(source)}: {error.description}", error.remedy, error.reason.value
            ) from error

    def _check_size(self, source: Upload) -> None:
        if source.path.stat().st_size > self._max_upload_bytes:
            raise ResourceExhausted(
                f"{source.name} is larger than the {self._max_upload_bytes} bytes that the server "
                "takes; give a URI or a smaller table, or raise the server's limit"
            )

    def _record(
        self, name: DatasetName, source: Upload | Uri, result: ReadResult, uri: str, size: int
    ) -> Dataset:
        return Dataset(
            name=str(name),
            source=source.uri if isinstance(source, Uri) else source.name,
            format=result.format.value,
            rows=result.rows,
            columns=result.columns,
            notes=result.notes,
            uri=uri,
            stored_bytes=size,
            created_at=self._clock.now(),
        )


def _name(parent: NamespaceName, dataset_id: str) -> DatasetName:
    """The new name; a random one when the caller has no wish. Raises: InvalidField."""
    if not dataset_id:
        return DatasetName(parent.namespace_id, f"dataset-{uuid.uuid4().hex[:12]}")
    return DatasetName(parent.namespace_id, check_id(dataset_id, "header.dataset_id"))


def _title(source: Upload | Uri) -> str:
    """The last part of the name or URI: enough for people, and for its suffix."""
    return (source.uri if isinstance(source, Uri) else source.name).rstrip("/").rpartition("/")[2]


def _checked_format(asked: str, source: Upload | Uri) -> TableFormat:
    """Raises: InvalidField when the format is unknown or the source cannot have it."""
    try:
        form = TableFormat(asked)
    except ValueError:
        known = ", ".join(each.value for each in TableFormat if each.value)
        raise InvalidField(
            "header.format", f"{asked!r} is no table format", f"use one of {known}"
        ) from None
    if isinstance(source, Upload):
        if not source.name:
            raise InvalidField("header.upload_name", "it is empty", "name the file")
        if form is TableFormat.SKLEARN:
            raise InvalidField("header.format", "uploads are no sklearn tables", "leave it out")
        return form
    is_sklearn = source.uri.startswith(_SKLEARN)
    if "://" not in source.uri and not source.uri.startswith((_SKLEARN, "file:/")):
        raise InvalidField(
            "header.uri", f"{source.uri!r} is no URI", "use file:, s3:, gs:, hdfs: or sklearn:NAME"
        )
    if form and is_sklearn != (form is TableFormat.SKLEARN):
        raise InvalidField("header.format", f"{source.uri} is not {form}", "leave the format out")
    return form


def _found(tx: Transaction, name: str) -> Dataset:
    dataset = tx.get(Dataset, name)
    if dataset is None:
        raise NotFound(name)
    return dataset


def _check_free(tx: Transaction, name: DatasetName) -> None:
    if tx.get(Dataset, str(name)) is not None:
        raise AlreadyExists(str(name))
