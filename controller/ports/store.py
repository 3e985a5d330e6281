"""The store: where the control plane keeps what it must not lose.

A store holds records by name, counts every change with one growing `revision`, and remembers the
answers to requests by `request_id`. Calls block (milliseconds); services run off the event loop.
A committed transaction survives kill -9. `tests/contract` holds the suite every store passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from controller.domain.records import Record, Trial
from controller.domain.states import TrialState

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted.

    size: most records. after: the sort key after which the page begins, empty for the first page;
    it is the `next_after` of the page before.
    """

    size: int
    after: str = ""


@dataclass(frozen=True)
class StoredRequest:
    """What is remembered of a call with a `request_id`."""

    fingerprint: str
    """Hash of the request's payload: a second call with another payload is refused."""
    resource_name: str


class Transaction(Protocol):
    """Reads and writes that become visible together. Later reads see earlier writes.

    `put` gives the record the next revision and returns it. `get` returns None for an unknown name.
    """

    def get(self, kind: type[R], name: str) -> R | None: ...
    def put(self, record: R) -> R: ...
    def delete(self, kind: type[Record], name: str) -> bool: ...
    def list_page(self, kind: type[R], namespace: str, page: Page) -> tuple[list[R], str]:
        """Newest first; the second part is `next_after`, empty at the end. Not for trials.
        namespace: the id alone, without `namespaces/`.
        """
        ...

    def list_all(self, kind: type[R]) -> list[R]:
        """Every record of the kind in all namespaces, oldest first. Not for trials."""
        ...

    def list_trials(
        self, search: str, page: Page, states: Sequence[TrialState] = ()
    ) -> tuple[list[Trial], str]:
        """By number; only those in `states` unless that is empty."""
        ...

    def trials_since(self, search: str, revision: int, limit: int) -> list[Trial]:
        """Trials of the search with a greater revision, by revision, at most `limit`."""
        ...

    def trial_by_candidate(self, search: str, candidate_id: str) -> Trial | None: ...
    def count_trials(self, search: str) -> dict[str, int]:
        """Number of trials by state."""
        ...

    def count_rejections(self, search: str) -> dict[str, int]:
        """Number of rejected trials by reason."""
        ...

    def delete_trials(self, search: str) -> int: ...
    def get_request(self, request_id: str, method: str) -> StoredRequest | None: ...
    def put_request(
        self, request_id: str, method: str, request: StoredRequest, now: float
    ) -> None: ...
    def delete_requests_before(self, instant: float) -> int: ...
    def put_log(self, search: str, text: str) -> None: ...
    def get_log(self, search: str) -> str | None: ...
    def delete_log(self, search: str) -> None: ...
    def get_setting(self, key: str) -> str | None: ...
    def put_setting(self, key: str, value: str) -> None: ...
    def delete_setting(self, key: str) -> None: ...


class Store(Protocol):
    """Opens transactions and tells listeners what changed."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Commits at the end of the block, rolls back when it raises. Writers are serialised."""
        ...

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Calls `listener` with the name of each changed record (for a trial: its search's) after
        the commit, in the committing thread. Listeners must be quick and must not raise.
        """
        ...

    def close(self) -> None: ...
