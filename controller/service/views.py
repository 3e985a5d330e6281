"""What services answer when a record alone is not enough."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.records import Dataset, Directive, Model, Progress, Search, Space, Trial


@dataclass(frozen=True)
class SearchView:
    """A search and how much of its budget is used."""

    search: Search
    progress: Progress


@dataclass(frozen=True)
class WatchStep:
    """A step of a watched search. search_view: None in a step that only carries trials."""

    search_view: SearchView | None
    trials: tuple[Trial, ...]
    resume_token: str
    is_heartbeat: bool = False


@dataclass(frozen=True)
class Assignment:
    """What a driver that opened a session must work on; `headgate.v1.OpenSessionResponse`
    documents each field.
    """

    session: str
    search_view: SearchView
    dataset: Dataset
    dataset_uri: str
    bundle_uri: str
    space: Space
    directive: Directive
    reservation_sizes_bytes: tuple[int, ...]
    slots: int
    probe_families: tuple[str, ...] = ()


@dataclass(frozen=True)
class FinishedWithModel:
    """A driver's last word: the bundle is written. `name`, `search`, `bundle_uri`, `created_at` of
    the model are filled in by the controller.
    """

    model: Model


@dataclass(frozen=True)
class FinishedWithError:
    """A driver's last word: no model, and why in one line."""

    error: str


@dataclass(frozen=True)
class FinishedCancelled:
    """A driver's last word: everything is ended, as it was told."""


Finish = FinishedWithModel | FinishedWithError | FinishedCancelled
"""How a driver says that a search ended."""
