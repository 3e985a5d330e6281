"""Searches as users see them: create, read, steer, delete. Calls block for milliseconds."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from controller.domain import budget
from controller.domain.errors import AlreadyExists, FailedPrecondition, NotFound, Unavailable
from controller.domain.names import ModelName, NamespaceName, SearchName, TrialName, check_id
from controller.domain.records import Dataset, Model, Search, SearchSpec, Trial
from controller.domain.states import SearchState, TrialState, is_search_final
from controller.ports.artifacts import Artifacts
from controller.ports.clock import Clock
from controller.ports.metrics import Metrics
from controller.ports.store import Store, Transaction
from controller.service import orphan_jobs, tokens
from controller.service.catalog import DocumentedSpace, FamilyCatalog
from controller.service.etag import check_etag
from controller.service.finishing import bundle_uri
from controller.service.foretelling import SearchPlan, foretell
from controller.service.gate import Gate
from controller.service.paging import Pager
from controller.service.planning import Prepared, dataset_name, prepare
from controller.service.requests import RequestMemory, fingerprint
from controller.service.settings import ServiceSettings
from controller.service.steering import Command, Steering
from controller.service.views import SearchView

_METHOD = "CreateSearch"


class SearchService:
    """`headgate.v1.SearchService` without the watch; the proto documents each call."""

    def __init__(
        self,
        store: Store,
        catalog: FamilyCatalog,
        gate: Gate,
        pager: Pager,
        requests: RequestMemory,
        clock: Clock,
        metrics: Metrics,
        settings: ServiceSettings,
        artifacts: Artifacts,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._pager = pager
        self._requests = requests
        self._clock = clock
        self._settings = settings
        self._artifacts = artifacts
        self._gate = gate
        self._steering = Steering(catalog, self._gate, clock, metrics)

    def create(
        self,
        parent: NamespaceName,
        search_id: str,
        spec: SearchSpec,
        request_id: str = "",
        validate_only: bool = False,
    ) -> SearchView:
        """Raises: InvalidArgument with all violations, NotFound, AlreadyExists, NothingFits."""
        if search_id:
            check_id(search_id, "search_id")
        payload = fingerprint(str(parent), search_id, spec)
        with self._store.transaction() as tx:
            known = self._requests.recall(tx, request_id, _METHOD, payload)
            if known is not None:
                return view(tx, _get(tx, known), self._clock.now())
            dataset = _dataset(tx, dataset_name(parent, spec))
        prepared = prepare(dataset, spec, self._catalog, self._gate)
        name = SearchName(parent.namespace_id, search_id or f"search-{secrets.token_hex(4)}")
        token = tokens.new_secret()
        search = self._new(name, spec, prepared, tokens.sha256(token))
        with self._store.transaction() as tx:
            _dataset(tx, dataset.name)  # it may have been deleted since
            known = self._requests.recall(tx, request_id, _METHOD, payload)
            if known is not None:
                return view(tx, _get(tx, known), self._clock.now())
            _check_free(tx, name)
            if validate_only:
                return SearchView(search, budget.progress(search, {}, {}, self._clock.now()))
            self._requests.remember(tx, request_id, _METHOD, payload, str(name))
            tokens.keep(tx, str(name), token)
            return view(tx, tx.put(search), self._clock.now())

    def plan(self, parent: NamespaceName, spec: SearchSpec) -> SearchPlan:
        """What `create` would start; stores nothing. Raises: InvalidArgument, NotFound."""
        with self._store.transaction() as tx:
            dataset = _dataset(tx, dataset_name(parent, spec))
        return foretell(dataset, spec, self._catalog, self._gate)

    def _new(
        self, name: SearchName, spec: SearchSpec, prepared: Prepared, token_sha256: str
    ) -> Search:
        return Search(
            name=str(name),
            spec=spec,
            plan=prepared.plan,
            state=SearchState.PENDING,
            created_at=self._clock.now(),
            token_sha256=token_sha256,
            pending_reason="waiting for its driver",
            reservation_sizes_bytes=prepared.sizes_bytes,
        )

    def get(self, name: SearchName) -> SearchView:
        """Raises: NotFound."""
        with self._store.transaction() as tx:
            return view(tx, _get(tx, str(name)), self._clock.now())

    def list(
        self, parent: NamespaceName, page_size: int = 0, page_token: str = ""
    ) -> tuple[Sequence[SearchView], str]:
        """A page, newest first, and the next page's token. Raises: InvalidField."""
        scope = ("ListSearches", str(parent))
        page = self._pager.page(page_size, page_token, *scope)
        with self._store.transaction() as tx:
            found, after = tx.list_page(Search, parent.namespace_id, page)
            views = [view(tx, search, self._clock.now()) for search in found]
        return views, self._pager.token(after, *scope)

    def cancel(self, name: SearchName, etag: str = "") -> SearchView:
        """Raises: NotFound, EtagMismatch."""
        return self._steer(name, etag, self._steering.cancel)

    def pause(self, name: SearchName, etag: str = "") -> SearchView:
        """Raises: NotFound, EtagMismatch, InvalidTransition."""
        return self._steer(name, etag, self._steering.pause)

    def resume(self, name: SearchName, etag: str = "") -> SearchView:
        """Raises: NotFound, EtagMismatch, InvalidTransition."""
        return self._steer(name, etag, self._steering.resume)

    def stop(self, name: SearchName, etag: str = "") -> SearchView:
        """Raises: NotFound, EtagMismatch, InvalidTransition."""
        return self._steer(name, etag, self._steering.stop)

    def update(
        self, name: SearchName, spec: SearchSpec, paths: tuple[str, ...], etag: str = ""
    ) -> SearchView:
        """Raises: NotFound, EtagMismatch, InvalidArgument, FailedPrecondition, NothingFits."""
        return self._steer(
            name, etag, lambda tx, search: self._steering.update(tx, search, spec, paths)
        )

    def _steer(self, name: SearchName, etag: str, command: Command) -> SearchView:
        with self._store.transaction() as tx:
            search = _get(tx, str(name))
            check_etag(search, etag)
            steered = self._steering.run(tx, search, command)
            answer = view(tx, steered.search, self._clock.now())
        self._steering.tell(steered)
        return answer

    def delete(self, name: SearchName, etag: str = "") -> None:
        """Deletes an ended search with its trials, log and files; its model stays.

        Raises: NotFound, EtagMismatch, FailedPrecondition; Unavailable when files stay.
        """
        with self._store.transaction() as tx:
            search = _get(tx, str(name))
            check_etag(search, etag)
            if not is_search_final(search.state):
                raise FailedPrecondition(
                    f"{name} is {search.state.value}; cancel it or wait for its end first",
                    resource=str(name),
                )
            has_model = tx.get(Model, str(_model_name(name))) is not None
        self._delete_files(name)
        if search.session and not has_model:
            # Written before its driver heard that nobody wants it.
            self._artifacts.delete(bundle_uri(self._artifacts, search))
        with self._store.transaction() as tx:
            stored = tx.get(Search, str(name))
            if stored is not None and stored.driver_job:
                orphan_jobs.remember(tx, stored.driver_job)
            tx.delete_trials(str(name))
            tx.delete_log(str(name))
            tokens.forget(tx, str(name))
            tx.delete(Search, str(name))

    def _delete_files(self, name: SearchName) -> None:
        """Frees the search's working directory where this machine has it."""
        if not self._settings.work_dir:
            return
        directory = f"{name.namespace_id}.{name.resource_id}"
        path = Path(self._settings.work_dir) / "searches" / directory
        try:
            if path.exists():
                shutil.rmtree(path)
        except FileNotFoundError:
            return  # somebody else was faster
        except OSError as error:
            raise Unavailable(f"cannot delete the files of {name}: {error}; try again") from error

    def get_trial(self, name: TrialName) -> Trial:
        """Raises: NotFound."""
        with self._store.transaction() as tx:
            trial = tx.get(Trial, str(name))
        if trial is None:
            raise NotFound(str(name))
        return trial

    def list_trials(
        self,
        parent: SearchName,
        page_size: int = 0,
        page_token: str = "",
        states: Sequence[TrialState] = (),
    ) -> tuple[Sequence[Trial], str]:
        """A page by number, and the next page's token. Raises: NotFound, InvalidField."""
        scope = ("ListTrials", str(parent), *sorted(state.value for state in states))
        page = self._pager.page(page_size, page_token, *scope)
        with self._store.transaction() as tx:
            _get(tx, str(parent))
            trials, after = tx.list_trials(str(parent), page, states)
        return trials, self._pager.token(after, *scope)

    def space(self, families: Sequence[str] = ()) -> DocumentedSpace:
        """The documented default space. Raises: InvalidField for an unknown family."""
        return self._catalog.documented(families)


def view(tx: Transaction, search: Search, now: float) -> SearchView:
    """The search with its progress."""
    states, reasons = tx.count_trials(search.name), tx.count_rejections(search.name)
    return SearchView(search, budget.progress(search, states, reasons, now))


def _get(tx: Transaction, name: str) -> Search:
    search = tx.get(Search, name)
    if search is None:
        raise NotFound(name)
    return search


def _dataset(tx: Transaction, name: str) -> Dataset:
    dataset = tx.get(Dataset, name)
    if dataset is None:
        raise NotFound(name, "create it first, or name one that is listed")
    return dataset


def _check_free(tx: Transaction, name: SearchName) -> None:
    """Raises: AlreadyExists when the search is there, or the model of a deleted one."""
    if tx.get(Search, str(name)) is not None:
        raise AlreadyExists(str(name))
    model = _model_name(name)
    if tx.get(Model, str(model)) is not None:
        raise AlreadyExists(str(model))


def _model_name(name: SearchName) -> ModelName:
    """Of the model that a search makes."""
    return ModelName(name.namespace_id, name.resource_id)
