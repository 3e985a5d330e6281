"""The SDK's entry: `headgate.connect(address)` gives a `Client`."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask

from headgate.connection import DEFAULT_ADDRESS, Connection
from headgate.errors import ServerError
from headgate.search import Search
from headgate.source import Source, default_id, requests
from headgate.spec import SearchOptions
from headgate.v1 import dataset_pb2, deployment_pb2, model_pb2, search_pb2
from headgate.v1.dataset_service_pb2 import (
    CreateDatasetHeader,
    DeleteDatasetRequest,
    GetDatasetRequest,
    ListDatasetsRequest,
)
from headgate.v1.deployment_service_pb2 import (
    CreateDeploymentRequest,
    DeleteDeploymentRequest,
    GetDeploymentRequest,
    ListDeploymentsRequest,
    UpdateDeploymentRequest,
)
from headgate.v1.model_service_pb2 import ExportModelRequest, GetModelRequest, ListModelsRequest
from headgate.v1.search_service_pb2 import (
    CreateSearchRequest,
    GetSearchRequest,
    GetSearchSpaceRequest,
    ListSearchesRequest,
    PlanSearchRequest,
    PlanSearchResponse,
)

if TYPE_CHECKING:
    from headgate.inference import Predictions

_PAGE_SIZE = 500
_REFUSALS = frozenset(
    {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "UNIMPLEMENTED"}
)
_POLL_SECONDS = 0.3
DEPLOY_SECONDS = 300.0
"""How long a deployment is waited for: the first one starts Ray Serve as well."""
_Response = TypeVar("_Response")


def connect(address: str | None = None, *, namespace: str = "default") -> Client:
    """A client of the server at `address` (`HOST:PORT`).

    Without an address the environment's HEADGATE_SERVER counts, else 127.0.0.1:50051. No call is
    made yet. Use it in a `with` block, or `close` it.
    """
    return Client(address or os.environ.get("HEADGATE_SERVER") or DEFAULT_ADDRESS, namespace)


class Client:
    """One server, one namespace. Thread-safe. All methods raise `headgate.ServerError`."""

    def __init__(self, address: str, namespace: str = "default") -> None:
        self.connection = Connection(address)
        self.namespace = namespace

    @property
    def parent(self) -> str:
        """The namespace's resource name."""
        return f"namespaces/{self.namespace}"

    def full_name(self, collection: str, name: str) -> str:
        """`name` itself when it is a full resource name, else that of an id in our namespace."""
        return name if "/" in name else f"{self.parent}/{collection}/{name}"

    def _pages(
        self, fetch: Callable[[str], _Response], items: Callable[[_Response], Iterable[Any]]
    ) -> Iterator[Any]:
        token = ""
        while True:
            page = self.connection.call(lambda token=token: fetch(token))  # type: ignore[misc]
            yield from items(page)
            token = page.next_page_token  # type: ignore[attr-defined]
            if not token:
                return

    # Datasets

    def create_dataset(self, source: Source, *, dataset_id: str = "") -> dataset_pb2.Dataset:
        """Uploads a file or DataFrame, or has the server read a URI, and waits for its profile.

        Without `dataset_id` the server chooses one.
        """
        header = CreateDatasetHeader(
            parent=self.parent, dataset_id=dataset_id, request_id=str(uuid.uuid4())
        )
        messages = requests(header, source)
        return self.connection.call(lambda: self.connection.datasets.CreateDataset(messages))

    def dataset(self, name: str) -> dataset_pb2.Dataset:
        """One dataset by id or resource name."""
        request = GetDatasetRequest(name=self.full_name("datasets", name))
        return self.connection.call(lambda: self.connection.datasets.GetDataset(request))

    def datasets(self) -> Iterator[dataset_pb2.Dataset]:
        """All datasets of the namespace, newest first."""
        return self._pages(
            lambda token: self.connection.datasets.ListDatasets(
                ListDatasetsRequest(parent=self.parent, page_size=_PAGE_SIZE, page_token=token)
            ),
            lambda page: page.datasets,
        )

    def delete_dataset(self, name: str) -> None:
        """Deletes a dataset and frees its disk."""
        request = DeleteDatasetRequest(name=self.full_name("datasets", name))
        self.connection.call(lambda: self.connection.datasets.DeleteDataset(request))

    # Searches

    def submit(
        self,
        source: Source,
        target: str,
        *,
        name: str = "",
        options: SearchOptions | None = None,
        **settings: Any,  # noqa: ANN401 - the fields of SearchOptions
    ) -> Search:
        """Creates a dataset of `source` and a search on it, and returns without waiting.

        source: path, URI, `sklearn:NAME`, DataFrame, or the name of a dataset that exists
        (`namespaces/…/datasets/…`). target: the column to predict. Everything else is a field of
        `SearchOptions`, given as `options` or by keyword: `client.submit("t.csv", "y",
        time_seconds=60)`.
        """
        chosen = _chosen(options, settings)
        dataset, is_new = self._dataset_of(source)
        request = CreateSearchRequest(
            parent=self.parent,
            search_id=name,
            search=search_pb2.Search(spec=chosen.to_proto(dataset, target)),
            request_id=str(uuid.uuid4()),
        )
        try:
            created = self.connection.call(lambda: self.connection.searches.CreateSearch(request))
        except ServerError as error:
            # Of a search that was refused, the table that only it would have used goes as well.
            if is_new and error.code in _REFUSALS:
                with contextlib.suppress(ServerError):
                    self.delete_dataset(dataset)
            raise
        return Search(self.connection, created.name)

    def plan(
        self,
        source: Source,
        target: str,
        *,
        options: SearchOptions | None = None,
        **settings: Any,  # noqa: ANN401 - the fields of SearchOptions
    ) -> PlanSearchResponse:
        """Foretells what `submit` with the same arguments would do; starts nothing.

        A table that is not a dataset yet is uploaded and profiled first, and deleted afterwards.
        When nothing fits nothing is raised: then the answer's `refusal` says why.
        """
        chosen = _chosen(options, settings)
        dataset, is_new = self._dataset_of(source)
        request = PlanSearchRequest(
            parent=self.parent, search=search_pb2.Search(spec=chosen.to_proto(dataset, target))
        )
        try:
            found = self.connection.call(lambda: self.connection.searches.PlanSearch(request))
        except BaseException:
            if is_new:
                with contextlib.suppress(ServerError):
                    self.delete_dataset(dataset)
            raise
        if is_new:
            self.delete_dataset(dataset)
        return found

    def _dataset_of(self, source: Source) -> tuple[str, bool]:
        """The name of the dataset, and whether it was made of `source` just now."""
        if isinstance(source, str) and source.startswith("namespaces/"):
            return source, False
        created = self.create_dataset(source, dataset_id=self._free_dataset_id(source))
        return created.name, True

    def _free_dataset_id(self, source: Source) -> str:
        """An id that tells the source and does not clash."""
        stem = default_id(source)
        return f"{stem}-{uuid.uuid4().hex[:6]}" if stem else ""

    def search(self, name: str) -> Search:
        """A handle of an existing search by id or resource name. Raises when there is none."""
        full = self.full_name("searches", name)
        request = GetSearchRequest(name=full)
        self.connection.call(lambda: self.connection.searches.GetSearch(request))
        return Search(self.connection, full)

    def searches(self) -> Iterator[search_pb2.Search]:
        """All searches of the namespace, newest first."""
        return self._pages(
            lambda token: self.connection.searches.ListSearches(
                ListSearchesRequest(parent=self.parent, page_size=_PAGE_SIZE, page_token=token)
            ),
            lambda page: page.searches,
        )

    def search_space(self, families: Sequence[str] = ()) -> search_pb2.SearchSpace:
        """The documented default space, of some families or of all."""
        request = GetSearchSpaceRequest(families=families)
        return self.connection.call(lambda: self.connection.searches.GetSearchSpace(request))

    # Models

    def model(self, name: str) -> model_pb2.Model:
        """One model by id or resource name."""
        request = GetModelRequest(name=self.full_name("models", name))
        return self.connection.call(lambda: self.connection.models.GetModel(request))

    def models(self) -> Iterator[model_pb2.Model]:
        """All models of the namespace, newest first."""
        return self._pages(
            lambda token: self.connection.models.ListModels(
                ListModelsRequest(parent=self.parent, page_size=_PAGE_SIZE, page_token=token)
            ),
            lambda page: page.models,
        )

    def export_model(self, name: str, directory: str | Path) -> Path:
        """Writes a model's bundle into a new or empty directory and returns it."""
        from headgate.archive import unpack  # noqa: PLC0415 - tarfile is rarely needed

        request = ExportModelRequest(name=self.full_name("models", name))
        chunks = self.connection.stream(lambda: self.connection.models.ExportModel(request))
        return unpack((message.chunk for message in chunks), Path(directory))

    # Deployments

    def deploy(self, model: str, name: str) -> deployment_pb2.Deployment:
        """Serves a model under `name`: creates the deployment, or updates the one there is."""
        wanted = deployment_pb2.Deployment(
            name=self.full_name("deployments", name), model=self.full_name("models", model)
        )
        known = {deployment.name for deployment in self.deployments()}
        stub = self.connection.deployments
        if wanted.name in known:
            update = UpdateDeploymentRequest(
                deployment=wanted, update_mask=FieldMask(paths=["model"])
            )
            return self.connection.call(lambda: stub.UpdateDeployment(update))
        create = CreateDeploymentRequest(
            parent=wanted.name.rsplit("/", 2)[0],
            deployment_id=wanted.name.rsplit("/", 1)[1],
            deployment=wanted,
            request_id=str(uuid.uuid4()),
        )
        return self.connection.call(lambda: stub.CreateDeployment(create))

    def deployment(self, name: str) -> deployment_pb2.Deployment:
        """One deployment by id or resource name."""
        request = GetDeploymentRequest(name=self.full_name("deployments", name))
        return self.connection.call(lambda: self.connection.deployments.GetDeployment(request))

    def deployments(self) -> Iterator[deployment_pb2.Deployment]:
        """All deployments of the namespace, newest first."""
        return self._pages(
            lambda token: self.connection.deployments.ListDeployments(
                ListDeploymentsRequest(parent=self.parent, page_size=_PAGE_SIZE, page_token=token)
            ),
            lambda page: page.deployments,
        )

    def await_deployment(
        self, name: str, timeout_seconds: float = DEPLOY_SECONDS
    ) -> deployment_pb2.Deployment:
        """Waits while a deployment is PENDING, at most so long; returns it as it is then."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            found = self.deployment(name)
            is_pending = found.state == deployment_pb2.Deployment.State.PENDING
            if not is_pending or time.monotonic() >= deadline:
                return found
            time.sleep(_POLL_SECONDS)

    def delete_deployment(self, name: str) -> None:
        """Takes a deployment down."""
        request = DeleteDeploymentRequest(name=self.full_name("deployments", name))
        self.connection.call(lambda: self.connection.deployments.DeleteDeployment(request))

    def predict(
        self,
        deployment: str,
        columns: Mapping[str, Sequence[Any]],
        timeout_seconds: float = DEPLOY_SECONDS,
    ) -> Predictions:
        """Predicts rows with a deployment.

        columns: the model's input columns by name, all of one length; None is missing. A deployment
        that is PENDING is waited for, at most so long.

        Raises: InputError for columns that do not fit, or when the deployment is not READY then.
        """
        from headgate.inference import InferenceClient  # noqa: PLC0415

        served = self.await_deployment(deployment, timeout_seconds)
        return InferenceClient.of(served, self.model(served.model)).predict(columns)

    def close(self) -> None:
        """Ends the connection. Idempotent."""
        self.connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _chosen(options: SearchOptions | None, settings: Mapping[str, Any]) -> SearchOptions:
    """The options with the settings given by keyword. Raises: InputError."""
    chosen = options or SearchOptions()
    if settings:
        chosen = chosen.changed(**settings)
    chosen.check()
    return chosen
