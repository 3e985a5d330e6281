"""Deployments: the wish that a model answers under a name. `reconcile_deployments` fulfils it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from controller.domain.errors import AlreadyExists, NotFound
from controller.domain.names import DeploymentName, ModelName, NamespaceName, check_id
from controller.domain.records import Deployment, Model
from controller.domain.states import DEPLOYMENT_NEXT, DeploymentState, check_transition
from controller.ports.clock import Clock
from controller.ports.store import Store, Transaction
from controller.service.etag import check_etag
from controller.service.paging import Pager
from controller.service.requests import RequestMemory, fingerprint

_CREATE = "CreateDeployment"

Deployments = list[Deployment]


class InferenceAddresses(Protocol):
    """Where models answer; every `controller.ports.cluster.Gateway` is one."""

    inference_http: str
    inference_grpc: str


@dataclass(frozen=True)
class DeploymentView:
    """A deployment, its model's name in the Open Inference Protocol, and where it answers."""

    deployment: Deployment
    inference_name: str
    inference_http: str
    inference_grpc: str


class DeploymentService:
    """Every method blocks for one transaction and raises `controller.domain.errors`."""

    def __init__(
        self,
        store: Store,
        addresses: InferenceAddresses,
        pager: Pager,
        requests: RequestMemory,
        clock: Clock,
    ) -> None:
        self._store = store
        self._addresses = addresses
        self._pager = pager
        self._requests = requests
        self._clock = clock

    def create(
        self, parent: NamespaceName, deployment_id: str, model: ModelName, request_id: str = ""
    ) -> Deployment:
        """Stores a new deployment. Idempotent under `request_id`.

        Raises: InvalidField, NotFound (no such model), AlreadyExists.
        """
        resource_id = check_id(deployment_id, "deployment_id")
        name = str(DeploymentName(parent.namespace_id, resource_id))
        payload = fingerprint(str(parent), deployment_id, str(model))
        with self._store.transaction() as tx:
            known = self._requests.recall(tx, request_id, _CREATE, payload)
            if known is not None:
                return _existing(tx, known)
            _check_model(tx, model)
            if tx.get(Deployment, name) is not None:
                raise AlreadyExists(name)
            now = self._clock.now()
            made = tx.put(Deployment(name, str(model), DeploymentState.PENDING, 1, now, now))
            self._requests.remember(tx, request_id, _CREATE, payload, name)
            return made

    def get(self, name: DeploymentName) -> Deployment:
        """Raises: NotFound."""
        with self._store.transaction() as tx:
            return _existing(tx, str(name))

    def list(
        self, parent: NamespaceName, page_size: int, page_token: str
    ) -> tuple[Deployments, str]:
        """A page, newest first, and the token of the next. Raises: InvalidField."""
        scope = ("ListDeployments", str(parent))
        page = self._pager.page(page_size, page_token, *scope)
        with self._store.transaction() as tx:
            found, next_after = tx.list_page(Deployment, parent.namespace_id, page)
        return found, self._pager.token(next_after, *scope)

    def update(self, name: DeploymentName, model: ModelName, etag: str = "") -> Deployment:
        """Wishes another model under the name, as the next version. The same model again changes
        nothing, unless the deployment FAILED: then it is tried again.

        Raises: NotFound, EtagMismatch, InvalidTransition (it is being deleted).
        """
        with self._store.transaction() as tx:
            current = _existing(tx, str(name))
            check_etag(current, etag)
            check_transition(current.name, DEPLOYMENT_NEXT, current.state, DeploymentState.PENDING)
            _check_model(tx, model)
            is_same = current.model == str(model)
            if is_same and current.state is not DeploymentState.FAILED:
                return current
            return tx.put(
                replace(
                    current,
                    model=str(model),
                    state=DeploymentState.PENDING,
                    version=current.version + 1,
                    updated_at=self._clock.now(),
                    error=None,
                )
            )

    def delete(self, name: DeploymentName, etag: str = "") -> None:
        """Wishes it away. Does nothing when it is being deleted already.

        Raises: NotFound, EtagMismatch.
        """
        with self._store.transaction() as tx:
            current = _existing(tx, str(name))
            check_etag(current, etag)
            if current.state is DeploymentState.DELETING:
                return
            tx.put(replace(current, state=DeploymentState.DELETING, updated_at=self._clock.now()))

    def view(self, deployment: Deployment) -> DeploymentView:
        """The deployment as users see it."""
        return DeploymentView(
            deployment,
            DeploymentName.parse(deployment.name).inference_name,
            self._addresses.inference_http,
            self._addresses.inference_grpc,
        )


def _existing(tx: Transaction, name: str) -> Deployment:
    deployment = tx.get(Deployment, name)
    if deployment is None:
        raise NotFound(name, "list the deployments of its namespace")
    return deployment


def _check_model(tx: Transaction, name: ModelName) -> None:
    if tx.get(Model, str(name)) is None:
        raise NotFound(str(name), "list the models of its namespace, or finish a search first")
