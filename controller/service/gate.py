"""The gate with the catalog and the cluster at hand: judges candidates, foretells whole spaces."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from controller.domain import sampling
from controller.domain.admission import (
    Ask,
    Terms,
    decide,
    format_bytes,
    memory_cap_bytes,
    reservation_sizes,
)
from controller.domain.errors import NothingFits
from controller.domain.names import DatasetName, SearchName
from controller.domain.records import (
    Dataset,
    Decision,
    Limits,
    Plan,
    Prediction,
    Quota,
    Reason,
    Search,
    SearchSpec,
    Shrink,
    Space,
    TreeGrowth,
    Verdict,
)
from controller.service.calibrator import Calibrator
from controller.service.catalog import FamilyCatalog
from controller.service.cluster_view import ClusterView
from controller.service.shape import data_shape
from workers.families.base import DataShape, Growth

_SAMPLES = 200
_CORNERS = 100


@dataclass(frozen=True)
class Setting:
    """What all candidates of a search have in common. namespace: its id. data_key: names the rows
    that its fits see; empty for data that no fit has seen.
    """

    shape: DataShape
    limits: Limits
    sizes_bytes: tuple[int, ...]
    remaining_seconds: float | None
    namespace: str = ""
    data_key: str = ""


class Gate:
    """Decides with what the cluster has now. Keeps no state; calls take milliseconds. quotas: by
    namespace id.
    """

    def __init__(
        self,
        catalog: FamilyCatalog,
        cluster_view: ClusterView,
        calibrator: Calibrator,
        quotas: Mapping[str, Quota] | None = None,
    ) -> None:
        self._catalog = catalog
        self._cluster_view = cluster_view
        self._calibrator = calibrator
        self._quotas = dict(quotas or {})

    def setting(self, search: Search, dataset: Dataset, remaining_seconds: float | None) -> Setting:
        """Of a stored search."""
        return Setting(
            shape=self.shape(dataset, search.plan, search.spec, search.growths),
            limits=search.spec.limits,
            sizes_bytes=search.reservation_sizes_bytes,
            remaining_seconds=remaining_seconds,
            namespace=SearchName.parse(search.name).namespace_id,
            data_key=_data_key(dataset, search),
        )

    def shape(
        self,
        dataset: Dataset,
        plan: Plan,
        spec: SearchSpec,
        growths: Iterable[TreeGrowth] = (),
    ) -> DataShape:
        """The figures that predictions need. growths: of a search that has seen its data."""
        shape = data_shape(dataset, plan, is_in_time_order=bool(spec.time_column))
        return replace(shape, growths=tuple(Growth(**vars(each)) for each in growths))

    def judge(self, setting: Setting, family: str, parameters: Mapping[str, Any]) -> Verdict:
        """The verdict on one candidate of a known family."""
        terms = self._terms(setting)
        lighter = list(self._lighter(setting, family, parameters))
        verdict = decide(family, self._predict(setting, family, parameters), terms, lighter)
        if verdict.decision is not Decision.REJECTED:
            return verdict
        return self._shrunk(setting, family, parameters, terms, lighter) or verdict

    def _shrunk(
        self,
        setting: Setting,
        family: str,
        parameters: Mapping[str, Any],
        terms: Terms,
        lighter: Iterable[tuple[Mapping[str, Any], Prediction]],
    ) -> Verdict | None:
        """The verdict on the nearest change that fits and that the search allows."""
        policy, keeping = setting.limits.shrink, self._catalog.keeps_result(family)
        for changes, prediction in lighter:
            is_allowed = policy is Shrink.ANY or keeping.issuperset(changes)
            if policy is Shrink.NONE or not is_allowed:
                continue
            verdict = decide(family, prediction, terms)
            if verdict.decision is Decision.REJECTED:
                continue
            replaced = {name: parameters[name] for name in changes if name in parameters}
            told = ", ".join(f"{name} {replaced.get(name)} -> {changes[name]}" for name in changes)
            return replace(
                verdict,
                decision=Decision.SHRUNK,
                changes=dict(changes),
                replaced=replaced,
                message=f"made to fit by {told}: {verdict.message}",
            )
        return None

    def _lighter(
        self, setting: Setting, family: str, parameters: Mapping[str, Any]
    ) -> Iterator[tuple[Mapping[str, Any], Prediction]]:
        limits, shape = setting.limits, setting.shape
        cpus, gpus = limits.cpus_per_trial, limits.gpus_per_trial
        for changes, prediction in self._catalog.lighter(family, shape, parameters, cpus, gpus):
            key = _memo_key(setting, family, {**parameters, **changes})
            yield changes, replace(prediction, memo_key=key)

    def _predict(self, setting: Setting, family: str, parameters: Mapping[str, Any]) -> Prediction:
        limits = setting.limits
        cpus, gpus = limits.cpus_per_trial, limits.gpus_per_trial
        prediction = self._catalog.predict(family, setting.shape, parameters, cpus, gpus)
        return replace(prediction, memo_key=_memo_key(setting, family, parameters))

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
        terms = self._terms(_of_spec(spec, shape))
        bounds = [terms.bounds.upper(f, prediction).bytes for f, prediction in candidates]
        return reservation_sizes(bounds, memory_cap_bytes(terms))

    def cap_bytes(self, setting: Setting) -> int | None:
        """The most memory that a trial of the search may get; None while that is not known."""
        return memory_cap_bytes(self._terms(setting))

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
        terms = self._terms(_of_spec(spec, shape))
        verdicts = []
        for family, prediction in self._candidates(space, spec, shape):
            verdict = decide(family, prediction, terms)
            if verdict.decision is not Decision.REJECTED:
                return
            verdicts.append(verdict)
        raise _nothing_fits(verdicts)

    def _terms(self, setting: Setting) -> Terms:
        capacity = self._cluster_view.capacity()
        return Terms(
            ask=_ask(setting.limits),
            limits=setting.limits,
            # The encoded table is on every node that runs trials, once for all of them.
            capacity=capacity and capacity.less(table_bytes(setting.shape)),
            remaining_seconds=setting.remaining_seconds,
            sizes_bytes=setting.sizes_bytes,
            bounds=self._calibrator.bounds,
            quota=self._quotas.get(setting.namespace, Quota()),
        )

    def _candidates(
        self, space: Space, spec: SearchSpec, shape: DataShape
    ) -> Iterator[tuple[str, Prediction]]:
        """Predictions for what the search may try: pinned, portfolio, samples, corners; lazy."""
        declarations, limits = self._catalog.declarations, spec.limits
        cpus, gpus = limits.cpus_per_trial, limits.gpus_per_trial
        drawn = [(str(item["family"]), dict(item["parameters"])) for item in space.pinned]
        for family in space.families:
            for parameters in self._catalog.portfolio(family, shape):
                if sampling.contains(space, declarations, family, parameters):
                    drawn.append((family, parameters))
        drawn.extend(sampling.draw(space, declarations, _SAMPLES, spec.seed))
        drawn.extend(sampling.draw_corners(space, declarations, _CORNERS, spec.seed))
        predict = self._catalog.predict
        return ((family, predict(family, shape, p, cpus, gpus)) for family, p in drawn)


def _of_spec(spec: SearchSpec, shape: DataShape) -> Setting:
    """Of a search that is not stored yet."""
    namespace = DatasetName.parse(spec.dataset).namespace_id
    return Setting(shape, spec.limits, (), spec.budget.time_seconds, namespace)


def table_bytes(shape: DataShape) -> int:
    """The encoded table on a node: a float32 cell a feature, a target of 8 bytes, a row."""
    return shape.rows * (4 * shape.features + 8)


def _data_key(dataset: Dataset, search: Search) -> str:
    """Equal for searches whose fits see the same rows of the same columns."""
    spec, plan = search.spec, search.plan
    told = (
        dataset.name, dataset.created_at, plan.feature_columns, plan.classes, plan.folds,
        spec.target_column, spec.weight_column, spec.group_column, spec.time_column, spec.seed,
    )  # fmt: skip
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _memo_key(setting: Setting, family: str, parameters: Mapping[str, Any]) -> str:
    """Equal for fits that differ in nothing that they are given."""
    if not setting.data_key:
        return ""
    limits = setting.limits
    told = (family, sorted(parameters.items()), limits.cpus_per_trial, limits.gpus_per_trial > 0)
    return f"{setting.data_key}-{hashlib.sha256(repr(told).encode()).hexdigest()[:16]}"


def _ask(limits: Limits) -> Ask:
    return Ask(limits.cpus_per_trial, limits.gpus_per_trial)


_CURE = {
    Reason.EXCEEDS_TRIAL_LIMIT: "raise limits.memory_per_trial_bytes",
    Reason.EXCEEDS_NODE_MEMORY: "use a node with more memory",
    Reason.EXCEEDS_TIME_BUDGET: "raise budget.time or limits.time_per_trial",
    Reason.EXCEEDS_MODEL_SIZE: "raise limits.max_model_bytes",
    Reason.EXCEEDS_PREDICT_LATENCY: "raise limits.max_predict_latency",
    Reason.EXCEEDS_QUOTA: "ask for a larger quota of the namespace",
    Reason.EXCEEDS_GPU_MEMORY: "raise limits.gpus_per_trial",
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
