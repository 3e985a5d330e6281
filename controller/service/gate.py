"""The gate with the catalog and the cluster at hand: judges candidates, foretells whole spaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.domain import sampling
from controller.domain.admission import (
    Ask,
    Terms,
    bound_bytes,
    decide,
    format_bytes,
    memory_cap_bytes,
    reservation_sizes,
)
from controller.domain.errors import NothingFits
from controller.domain.records import (
    Dataset,
    Decision,
    Limits,
    Plan,
    Prediction,
    Reason,
    SearchSpec,
    Space,
    Verdict,
)
from controller.service.catalog import FamilyCatalog
from controller.service.cluster_view import ClusterView
from controller.service.settings import ServiceSettings
from controller.service.shape import data_shape
from workers.families.base import DataShape

_SAMPLES = 200
_CORNERS = 100


@dataclass(frozen=True)
class Setting:
    """What all candidates of a search have in common."""

    shape: DataShape
    limits: Limits
    sizes_bytes: tuple[int, ...]
    remaining_seconds: float | None


class Gate:
    """Decides with what the cluster has now. Keeps no state; calls take milliseconds."""

    def __init__(
        self, catalog: FamilyCatalog, cluster_view: ClusterView, settings: ServiceSettings
    ) -> None:
        self._catalog = catalog
        self._cluster_view = cluster_view
        self._settings = settings

    def shape(self, dataset: Dataset, plan: Plan, spec: SearchSpec) -> DataShape:
        """The figures that predictions need."""
        return data_shape(dataset, plan, is_in_time_order=bool(spec.time_column))

    def judge(self, setting: Setting, family: str, parameters: Mapping[str, Any]) -> Verdict:
        """The verdict on one candidate of a known family."""
        terms = self._terms(setting.limits, setting.sizes_bytes, setting.remaining_seconds)
        cpus = setting.limits.cpus_per_trial
        prediction = self._catalog.predict(family, setting.shape, parameters, cpus)
        lighter = self._catalog.lighter(family, setting.shape, parameters, cpus)
        return decide(prediction, terms, lighter)

    def verdicts(
        self, setting: Setting, family: str, candidates: Iterable[Mapping[str, Any]]
    ) -> Iterator[Verdict]:
        """The verdicts on many configurations of one family, in order; lazy."""
        return (self.judge(setting, family, parameters) for parameters in candidates)

    @property
    def is_cluster_known(self) -> bool:
        """Some node was seen, so that limits of nodes can be looked at."""
        return self._cluster_view.capacity() is not None

    def sizes(
        self, spec: SearchSpec, shape: DataShape, space: Space | None = None
    ) -> tuple[int, ...]:
        """The reservation sizes of a search."""
        candidates = self._candidates(space or self._catalog.space_of(spec), spec, shape)
        terms = self._terms(spec.limits, (), None)
        factor = self._settings.safety_factor
        bounds = [bound_bytes(prediction, factor) for prediction in candidates]
        return reservation_sizes(bounds, memory_cap_bytes(terms))

    def cap_bytes(self, spec: SearchSpec) -> int | None:
        """The most memory that a trial of the search may get; None while that is not known."""
        return memory_cap_bytes(self._terms(spec.limits, (), None))

    def slots(self, limits: Limits, sizes_bytes: Sequence[int]) -> int:
        """Trials that fit the cluster at once at the smallest reservation; at least 1."""
        capacity = self._cluster_view.capacity()
        if capacity is None:
            return 1
        slots = capacity.slots(_ask(limits), min(sizes_bytes, default=1))
        return max(1, min(slots, limits.max_concurrent_trials or slots))

    def check_fits(self, spec: SearchSpec, shape: DataShape, space: Space) -> None:
        """Raises: NothingFits when no candidate of the space could ever be admitted. Passes while
        the cluster is not known and the search sets no limit.
        """
        terms = self._terms(spec.limits, (), spec.budget.time_seconds)
        verdicts = []
        for prediction in self._candidates(space, spec, shape):
            verdict = decide(prediction, terms)
            if verdict.decision is not Decision.REJECTED:
                return
            verdicts.append(verdict)
        raise _nothing_fits(verdicts)

    def _terms(
        self, limits: Limits, sizes_bytes: tuple[int, ...], remaining_seconds: float | None
    ) -> Terms:
        return Terms(
            ask=_ask(limits),
            limits=limits,
            capacity=self._cluster_view.capacity(),
            remaining_seconds=remaining_seconds,
            sizes_bytes=sizes_bytes,
            safety_factor=self._settings.safety_factor,
        )

    def _candidates(self, space: Space, spec: SearchSpec, shape: DataShape) -> Iterator[Prediction]:
        """Predictions for what the search may try: pinned, portfolio, samples, corners; lazy."""
        declarations, cpus = self._catalog.declarations, spec.limits.cpus_per_trial
        drawn = [(str(item["family"]), dict(item["parameters"])) for item in space.pinned]
        for family in space.families:
            for parameters in self._catalog.portfolio(family, shape):
                if sampling.contains(space, declarations, family, parameters):
                    drawn.append((family, parameters))
        drawn.extend(sampling.draw(space, declarations, _SAMPLES, spec.seed))
        drawn.extend(sampling.draw_corners(space, declarations, _CORNERS, spec.seed))
        return (self._catalog.predict(family, shape, p, cpus) for family, p in drawn)


def _ask(limits: Limits) -> Ask:
    return Ask(limits.cpus_per_trial, limits.gpus_per_trial)


_CURE = {
    Reason.EXCEEDS_TRIAL_LIMIT: "raise limits.memory_per_trial_bytes",
    Reason.EXCEEDS_NODE_MEMORY: "use a node with more memory",
    Reason.EXCEEDS_TIME_BUDGET: "raise budget.time or limits.time_per_trial",
    Reason.EXCEEDS_MODEL_SIZE: "raise limits.max_model_bytes",
    Reason.EXCEEDS_PREDICT_LATENCY: "raise limits.max_predict_latency",
    Reason.NO_SUCH_RESOURCE: "lower limits.cpus_per_trial or limits.gpus_per_trial",
}


def _nothing_fits(verdicts: Sequence[Verdict]) -> NothingFits:
    """Names the commonest reason and the candidate that comes closest."""
    reasons = Counter(verdict.reason for verdict in verdicts if verdict.reason)
    reason = reasons.most_common(1)[0][0]
    nearest = min((v for v in verdicts if v.reason is reason), key=lambda v: v.demand or 0.0)
    demand, limit = nearest.demand or 0.0, nearest.limit or 0.0
    is_bytes = nearest.limit_unit == "bytes"
    needed = format_bytes(demand) if is_bytes else f"{demand:.3g} {nearest.limit_unit}"
    there = format_bytes(limit) if is_bytes else f"{limit:.3g} {nearest.limit_unit}"
    return NothingFits(
        f"no candidate of the space fits ({reason.value}): the lightest needs {needed} and the "
        f"limit is {there}; {_CURE.get(reason, 'change the limit')} or choose other families",
        verdict_reason=reason.value,
        demand=f"{demand:.12g}",
        limit=f"{limit:.12g}",
        unit=nearest.limit_unit,
    )
