"""What is tried before sampling: pinned configurations, then strong defaults of every family."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from headgate.v1 import trial_pb2
from workers.driver.space import Configuration, SearchSpace
from workers.families.base import DataShape, Family

Origin = trial_pb2.CandidateOrigin


@dataclass(frozen=True)
class Proposal:
    """A configuration and where it came from."""

    configuration: Configuration
    origin: Origin


def first_proposals(
    space: SearchSpace, families: Mapping[str, Family], shape: DataShape, cpus: int
) -> tuple[Proposal, ...]:
    """Pinned configurations in their order; then the first default of each family, cheapest family
    first, the second of each, and so on. Defaults are moved into the space; no duplicates.
    """
    proposals = itertools.chain(
        (Proposal(each, trial_pb2.CANDIDATE_ORIGIN_PINNED) for each in space.pinned),
        _defaults(space, families, shape, cpus),
    )
    unique: dict[str, Proposal] = {}
    for proposal in proposals:
        unique.setdefault(proposal.configuration.key, proposal)
    return tuple(unique.values())


def _defaults(
    space: SearchSpace, families: Mapping[str, Family], shape: DataShape, cpus: int
) -> Iterator[Proposal]:
    rounds = itertools.zip_longest(
        *(
            [space.fit_into(name, each) for each in families[name].portfolio(shape)]
            for name in space.families
        )
    )
    for configurations in rounds:
        found = [each for each in configurations if each is not None]
        for each in sorted(found, key=lambda c: _cpu_seconds(families, c, shape, cpus)):
            yield Proposal(each, trial_pb2.CANDIDATE_ORIGIN_DEFAULT)


def _cpu_seconds(
    families: Mapping[str, Family], each: Configuration, shape: DataShape, cpus: int
) -> tuple[float, str]:
    return families[each.family].cost(shape, each.parameters, cpus).cpu_seconds, each.family
