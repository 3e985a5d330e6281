"""Makes the gateway serve what the deployments say, and the deployments say what it serves.

Level-triggered: every step reads the wish from the store, applies it, looks at the gateway and
writes what it sees. Nothing is lost with this process: retries are counted in memory only, and a
new controller begins them anew.

| observed | PENDING | READY | FAILED | DELETING |
|---|---|---|---|---|
| exactly that version is loaded | READY | | READY | |
| the load failed, or Serve could not deploy | FAILED | FAILED | | |
| neither, and the gateway answers or is not up | | PENDING | | |
| the model is not served any more | | | | the record is deleted |
| Ray or Serve does not answer | | | | |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from controller.domain.errors import FailedPrecondition, Unavailable
from controller.domain.names import DeploymentName
from controller.domain.records import Deployment, Failure, Model
from controller.domain.states import DEPLOYMENT_NEXT, DeploymentState, check_transition
from controller.ports.clock import Clock
from controller.ports.cluster import Gateway, GatewayStatus, ServedModel
from controller.ports.metrics import Metrics
from controller.ports.store import Store

_log = logging.getLogger(__name__)

RETRY_SECONDS = (10.0, 30.0, 120.0, 600.0)
"""Waits before a model whose load failed is tried again; after the last only an update does."""

RECHECK_SECONDS = 5.0
"""How often the gateway is looked at when all is as wished."""

HOLD_SECONDS = 15.0
"""Wait after Ray did not answer or Serve refused; a changed wish is tried at once."""

_DEPLOY_FAILED = "DEPLOY_FAILED"
_NOT_STARTED = "NOT_STARTED"
_RUNNING = "RUNNING"
_SETTLED = (DeploymentState.READY, DeploymentState.FAILED)


@dataclass(frozen=True)
class Retry:
    """Loads of one version that were tried again. next_at: when the next is due, None for no more
    or while one is under way.
    """

    version: int
    attempt: int = 0
    next_at: float | None = None


@dataclass(frozen=True)
class Wish:
    """What the store asks for. orphans: names of deployments whose model is gone."""

    deployments: tuple[Deployment, ...]
    served: tuple[ServedModel, ...]
    orphans: frozenset[str]


def observe(deployment: Deployment, status: GatewayStatus) -> Deployment | None:
    """What the record becomes after a look at the gateway; None when it is to be deleted. Pure."""
    name = DeploymentName.parse(deployment.name).inference_name
    is_down = status.status == _NOT_STARTED
    if deployment.state is DeploymentState.DELETING:
        is_gone = is_down or (status.loaded is not None and name not in status.loaded)
        return None if is_gone else deployment
    if (status.loaded or {}).get(name) == deployment.version:
        return _moved(deployment, DeploymentState.READY, None)
    failure = _failure(name, status)
    if failure is not None:
        return _moved(deployment, DeploymentState.FAILED, failure)
    is_lost = status.loaded is not None or status.status != _RUNNING
    if deployment.state is DeploymentState.READY and is_lost:
        return _moved(deployment, DeploymentState.PENDING, None)
    return deployment


def _failure(name: str, status: GatewayStatus) -> Failure | None:
    message = (status.errors or {}).get(name)
    if message is not None:
        return Failure("MODEL_LOAD_FAILED", message)
    if status.status == _DEPLOY_FAILED:
        return Failure("GATEWAY_FAILED", f"Ray Serve could not start the gateway: {status.message}")
    return None


def _moved(deployment: Deployment, state: DeploymentState, error: Failure | None) -> Deployment:
    check_transition(deployment.name, DEPLOYMENT_NEXT, deployment.state, state)
    return replace(deployment, state=state, error=error)


class DeploymentReconciler:
    """One step at a time; the store is read and written in a thread."""

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        clock: Clock,
        metrics: Metrics,
        serves: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._serves = serves
        self._store = store
        self._gateway = gateway
        self._clock = clock
        self._metrics = metrics
        self._retries: dict[str, Retry] = {}
        self._seen: tuple[Deployment, ...] | None = None
        self._next_look_at = 0.0
        self._is_well = True

    async def step(self) -> bool:
        """Closes the difference as far as it can be closed now. Does nothing when nothing changed
        and no look is due. Does not raise when Ray is away or Serve refuses. True when this or, if
        no look was due, the last look succeeded.
        """
        wish = await asyncio.to_thread(self._read)
        self._serves(bool(wish.served))
        if self._is_due(wish):
            self._is_well = await self._close(wish)
        return self._is_well

    async def _close(self, wish: Wish) -> bool:
        """One look; True when it succeeded."""
        try:
            await self._gateway.apply(wish.served)
            status = await self._gateway.status()
        except Unavailable as error:
            self._hold(wish.deployments, error)
            return False
        except FailedPrecondition as error:
            refused = _all_refused(wish, error)
            self._hold(await asyncio.to_thread(self._write, wish, refused), error)
            return False
        after = {each.name: observe(each, status) for each in wish.deployments}
        self._plan_retries(wish, status)
        written = await asyncio.to_thread(self._write, wish, _with_orphans(wish, after))
        self._rest(written, status)
        return True

    def _read(self) -> Wish:
        now = self._clock.now()
        served, orphans = [], set()
        with self._store.transaction() as tx:
            deployments = tuple(tx.list_all(Deployment))
            for each in deployments:
                if each.state is DeploymentState.DELETING:
                    continue
                model = tx.get(Model, each.model)
                if model is None:
                    orphans.add(each.name)
                else:
                    served.append(_served(each, model, self._attempt(each, now)))
        served.sort(key=lambda model: model.inference_name)
        return Wish(deployments, tuple(served), frozenset(orphans))

    def _attempt(self, deployment: Deployment, now: float) -> int:
        """The number of this version's load, counted up when a retry is due."""
        retry = self._retries.get(deployment.name)
        if retry is None or retry.version != deployment.version:
            retry = Retry(deployment.version)
        elif retry.next_at is not None and now >= retry.next_at:
            retry = Retry(deployment.version, retry.attempt + 1)
            self._next_look_at = now
        self._retries[deployment.name] = retry
        return retry.attempt

    def _is_due(self, wish: Wish) -> bool:
        if not wish.deployments and not self._seen:
            return False  # Serve starts with the first deployment, not before.
        return wish.deployments != self._seen or self._clock.now() >= self._next_look_at

    def _hold(
        self, written: tuple[Deployment, ...], error: Unavailable | FailedPrecondition
    ) -> None:
        self._metrics.reconcile_failed("deployment")
        _log.warning("deployments wait: %s", error.message)
        self._seen = written
        self._next_look_at = self._clock.now() + HOLD_SECONDS

    def _plan_retries(self, wish: Wish, status: GatewayStatus) -> None:
        """Sets the time of the next try for every load that failed."""
        now = self._clock.now()
        names = {each.name for each in wish.deployments}
        self._retries = {name: retry for name, retry in self._retries.items() if name in names}
        for name, retry in self._retries.items():
            is_failed = DeploymentName.parse(name).inference_name in (status.errors or {})
            is_left = retry.attempt < len(RETRY_SECONDS)
            if is_failed and is_left and retry.next_at is None:
                next_at = now + RETRY_SECONDS[retry.attempt]
                self._retries[name] = replace(retry, next_at=next_at)

    def _write(self, wish: Wish, after: Mapping[str, Deployment | None]) -> tuple[Deployment, ...]:
        """Stores what changed, unless somebody else changed it meanwhile; returns the records."""
        written = []
        with self._store.transaction() as tx:
            for before in wish.deployments:
                current, wanted = tx.get(Deployment, before.name), after.get(before.name, before)
                if current != before:
                    continue  # The next step sees it.
                if wanted is None:
                    tx.delete(Deployment, before.name)
                elif wanted == before:
                    written.append(before)
                else:
                    changed = replace(wanted, updated_at=self._clock.now())
                    written.append(tx.put(changed))
                    _log.info("%s is %s", changed.name, changed.state.value)
        return tuple(written)

    def _rest(self, written: tuple[Deployment, ...], status: GatewayStatus) -> None:
        """Decides when to look again: soon while something is under way, else later."""
        self._seen = written
        now = self._clock.now()
        if status.status == _DEPLOY_FAILED:
            self._next_look_at = now + HOLD_SECONDS
        elif all(each.state in _SETTLED for each in written):
            self._next_look_at = now + RECHECK_SECONDS
        else:
            self._next_look_at = now


def _served(deployment: Deployment, model: Model, attempt: int) -> ServedModel:
    return ServedModel(
        DeploymentName.parse(deployment.name).inference_name,
        deployment.version,
        model.bundle_uri,
        model.manifest_sha256,
        attempt,
    )


def _all_refused(wish: Wish, error: FailedPrecondition) -> dict[str, Deployment | None]:
    """Everything that does not answer yet FAILED, for the reason that is the same for all."""
    failure = Failure(error.reason, error.message)
    waiting = (DeploymentState.PENDING, DeploymentState.FAILED)
    return {
        each.name: _moved(each, DeploymentState.FAILED, failure)
        for each in wish.deployments
        if each.state in waiting
    }


def _with_orphans(
    wish: Wish, after: Mapping[str, Deployment | None]
) -> dict[str, Deployment | None]:
    result = dict(after)
    for each in wish.deployments:
        if each.name in wish.orphans:
            failure = Failure(
                "MODEL_NOT_FOUND", f"{each.model} does not exist; update to another model"
            )
            result[each.name] = _moved(each, DeploymentState.FAILED, failure)
    return result
