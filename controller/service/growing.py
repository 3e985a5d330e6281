"""What a search learns of how large trees grow on its data: from a probe, and from its trials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from controller.domain.errors import InvalidField
from controller.domain.records import Dataset, Search, TreeGrowth, Trial
from controller.domain.states import TrialState
from controller.service.catalog import FamilyCatalog
from controller.service.gate import Gate, Setting

LOOSE_SHARE = 0.25
"""A probe pays when the bound of a default is more than this share of what a trial may have."""

FIRST_GROWTHS, NEWEST_GROWTHS = 6, 10
"""Kept of a family: the first that were told, which are the probe's and span the space, and the
newest of trials. Predictions read all of them, so they are few."""


def wants_probe(
    gate: Gate, catalog: FamilyCatalog, search: Search, setting: Setting
) -> tuple[str, ...]:
    """Families of the space whose trees nobody has seen on these data, and of which a default may
    be large. All of those while it is not known what a trial may have.
    """
    seen = {each.family for each in search.growths}
    cap = gate.cap_bytes(setting)
    return tuple(
        family
        for family in catalog.space_of(search.spec).families
        if catalog.grows_trees(family)
        and family not in seen
        and (cap is None or _largest_default(gate, catalog, family, setting) > LOOSE_SHARE * cap)
    )


def _largest_default(gate: Gate, catalog: FamilyCatalog, family: str, setting: Setting) -> int:
    defaults = catalog.portfolio(family, setting.shape)
    return max((verdict.bound_bytes for verdict in gate.verdicts(setting, family, defaults)),
               default=0)  # fmt: skip


def checked(catalog: FamilyCatalog, growths: Sequence[TreeGrowth]) -> Sequence[TreeGrowth]:
    """Raises: InvalidField for a family that is not known or grows no trees."""
    for index, each in enumerate(growths):
        if each.family not in catalog.declarations or not catalog.grows_trees(each.family):
            text = f"{each.family!r} grows no trees"
            raise InvalidField(f"growths[{index}].family", text, "report what was asked for")
    return growths


def with_growths(search: Search, growths: Iterable[TreeGrowth]) -> Search:
    """The search with more of them; of the same family, leaf and share the latest counts."""
    kept = {(each.family, each.leaf, each.share): each for each in search.growths}
    kept |= {(each.family, each.leaf, each.share): each for each in growths}
    families: dict[str, list[TreeGrowth]] = {}
    for each in kept.values():
        families.setdefault(each.family, []).append(each)
    thinned = (
        (*of[:FIRST_GROWTHS], *of[FIRST_GROWTHS:][-NEWEST_GROWTHS:]) for of in families.values()
    )
    return replace(search, growths=tuple(each for of in thinned for each in of))


def learned(
    gate: Gate, catalog: FamilyCatalog, search: Search, dataset: Dataset, trials: Iterable[Trial]
) -> Search:
    """The search with what its finished trials tell."""
    shape = gate.shape(dataset, search.plan, search.spec)
    told = [
        catalog.grown(trial.family, shape, trial.parameters, trial.usage.model_bytes)
        for trial in trials
        if trial.state is TrialState.SUCCEEDED and trial.usage is not None
    ]
    return with_growths(search, (each for each in told if each is not None))
