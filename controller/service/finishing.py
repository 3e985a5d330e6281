"""The end that a driver reports: its model is taken over, and deployed where that was asked for."""

from __future__ import annotations

from dataclasses import replace

from controller.domain.errors import InvalidTransition
from controller.domain.names import DeploymentName, ModelName, SearchName
from controller.domain.records import Deployment, Failure, Model, Search
from controller.domain.search_moves import fail, move
from controller.domain.states import DeploymentState, SearchState, is_search_final
from controller.ports.artifacts import Artifacts
from controller.ports.store import Transaction
from controller.service import tokens
from controller.service.views import Finish, FinishedCancelled, FinishedWithError


def bundle_uri(artifacts: Artifacts, search: Search) -> str:
    """Where the driver of the current session writes its bundle. Every session has its own place,
    so that a superseded driver cannot touch what a newer one wrote.
    """
    name = SearchName.parse(search.name)
    session = search.session.rsplit("#", 1)[-1]
    attempt = tokens.attempt_of(search.session)
    return artifacts.uri("bundles", name.namespace_id, f"{name.resource_id}-{attempt}-{session}")


class Finishing:
    """Applies a driver's last word. Writes model and deployment, stores no search."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts

    def finish(self, tx: Transaction, search: Search, outcome: Finish, now: float) -> Search:
        """The ended search. Raises: InvalidTransition."""
        if is_search_final(search.state):
            return search
        if search.state is SearchState.CANCELLING:
            return move(search, SearchState.CANCELLED, now)
        if isinstance(outcome, FinishedCancelled):
            cancelled = SearchState.CANCELLED.value
            remedy = "only a person cancels a search"
            raise InvalidTransition(search.name, search.state.value, cancelled, remedy)
        if isinstance(outcome, FinishedWithError):
            text = outcome.error or "its driver ended without a model and without a reason"
            return fail(search, Failure("NO_MODEL", text), now)
        return self._succeed(tx, search, outcome.model, now)

    def _succeed(self, tx: Transaction, search: Search, given: Model, now: float) -> Search:
        name = SearchName.parse(search.name)
        model = tx.put(
            replace(
                given,
                name=str(ModelName(name.namespace_id, name.resource_id)),
                search=search.name,
                bundle_uri=bundle_uri(self._artifacts, search),
                created_at=now,
            )
        )
        ended = replace(move(search, SearchState.SUCCEEDED, now), model=model.name)
        if not search.spec.deploy:
            return ended
        wanted = DeploymentName(name.namespace_id, search.spec.deploy)
        return replace(ended, deployment=_deploy(tx, wanted, model, now).name)


def _deploy(tx: Transaction, name: DeploymentName, model: Model, now: float) -> Deployment:
    """Asks for the model to be served; one that is being taken down is created anew."""
    existing = tx.get(Deployment, str(name))
    is_new = existing is None or existing.state is DeploymentState.DELETING
    return tx.put(
        Deployment(
            name=str(name),
            model=model.name,
            state=DeploymentState.PENDING,
            version=1 if existing is None else existing.version + 1,
            created_at=now if existing is None or is_new else existing.created_at,
            updated_at=now,
        )
    )
