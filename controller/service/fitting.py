"""Reservation sizes of a search for the cluster as it is now, and the end of one that fits nowhere.

A search may be accepted while no node is known; whether it fits shows when its driver begins.
"""

from __future__ import annotations

from dataclasses import replace

from controller.domain.errors import NothingFits
from controller.domain.records import Dataset, Failure, Search
from controller.domain.search_moves import fail
from controller.domain.states import SearchState
from controller.service.catalog import FamilyCatalog
from controller.service.gate import Gate

_BEGUN = (SearchState.RUNNING, SearchState.PAUSED)


def sized(
    gate: Gate, catalog: FamilyCatalog, search: Search, dataset: Dataset, now: float
) -> Search:
    """The search with its sizes, or FAILED, reason NOTHING_FITS, when no candidate of its space
    could be admitted. One that has a best trial, or is ending, keeps the sizes that it had: nodes
    may come back, and its winner is still to be fitted.
    """
    shape = gate.shape(dataset, search.plan, search.spec, search.growths)
    try:
        gate.check_fits(search.spec, shape, catalog.space_of(search.spec))
        return resized(gate, catalog, search, dataset)
    except NothingFits as error:
        if search.best_trial or search.state not in _BEGUN:
            return search
        return fail(search, Failure(error.reason, error.message), now)


def resized(gate: Gate, catalog: FamilyCatalog, search: Search, dataset: Dataset) -> Search:
    """The search with at least one and at most three sizes.

    Raises: NothingFits when no candidate gets the memory that it needs.
    """
    shape = gate.shape(dataset, search.plan, search.spec, search.growths)
    space = catalog.space_of(search.spec)
    sizes = gate.sizes(search.spec, shape, space)
    if not sizes:
        gate.check_fits(search.spec, shape, space)
    return replace(search, reservation_sizes_bytes=sizes)
