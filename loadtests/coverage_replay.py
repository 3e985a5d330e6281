"""What admission policies would have done with measured fits, for `loadtests.coverage`.

The controller's own parts decide: `Gate` (prediction, calibrated bound, sizes, verdict),
`Calibrator` over a store, `next_reservation_bytes` after a kill. Every table is a search of its own
that begins with its first fit; one calibrator serves all. A fit whose peak is above what it got is
ended, all its time wasted, and tried again as the controller does.
"""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from controller.adapters.sql_store import SqlStore
from controller.domain.calibration import DEFAULT_COVERAGE
from controller.domain.records import (
    Attempt,
    Decision,
    FailureKind,
    Limits,
    Origin,
    Reason,
    SearchSpec,
    Trial,
    TrialEvent,
    TrialFailure,
    Usage,
    Verdict,
)
from controller.domain.retries import next_reservation_bytes
from controller.domain.states import TrialState
from controller.ports.cluster import Node
from controller.service.calibrator import Calibrator
from controller.service.cluster_view import ClusterView
from controller.service.gate import Gate, Setting
from loadtests.coverage_fits import CATALOG, Fit

BIG_BYTES = 100_000_000
"""Fits from here on count apart: small ones are cheap to reserve too much for."""
SHIFT, SHIFTED = 1.6, ("xgboost", "hist_gradient_boosting")
TRAILING, RECOVERED = 30, 0.95
_SHIFT_FITS = 400


@dataclass(frozen=True)
class Given:
    """What a policy did for one fit. bound: what the peak was promised to stay below. attempts: the
    reservations it got in turn; all but the last were too small.
    """

    fit: Fit
    bound: int
    attempts: tuple[int, ...]

    @property
    def is_covered(self) -> bool:
        """The peak stayed below the bound."""
        return self.fit.peak_bytes <= self.bound

    @property
    def reserved(self) -> int:
        """What the first attempt got."""
        return self.attempts[0]

    @property
    def wasted(self) -> float:
        """Byte seconds reserved and not used; those of ended attempts are all wasted."""
        *ended, last = self.attempts
        return self.fit.wall_seconds * (sum(ended) + last - self.fit.peak_bytes)


@dataclass
class Learner:
    """The controller's gate and calibrator in front of a node. node_bytes: what it has for trials.

    cap_bytes: `limits.memory_per_trial` of the searches that are asked in shadow.
    """

    node_bytes: int
    cap_bytes: int
    coverage: float = DEFAULT_COVERAGE
    false_rejections: int = 0
    rejections: int = 0
    _settings: dict[str, Setting] = field(default_factory=dict)
    _number: int = 0

    def __post_init__(self) -> None:
        self._store = SqlStore("sqlite://")
        self.calibrator = Calibrator(self._store, CATALOG.declarations, self.coverage)
        view = ClusterView()
        view.saw((Node("node", 64.0, 0.0, self.node_bytes),))
        self._gate = Gate(CATALOG, view, self.calibrator)

    def close(self) -> None:
        """Closes the store."""
        self._store.close()

    def run(self, fits: Iterable[Fit]) -> list[Given]:
        """One fit after the other: judged, run, learned from."""
        return [self.one(fit) for fit in fits]

    def one(self, fit: Fit) -> Given:
        """Raises: ValueError for a fit that the node would never admit."""
        setting = self._setting(fit)
        verdict = self._gate.judge(setting, fit.family, fit.settings)
        if verdict.decision is not Decision.ADMITTED or verdict.reservation is None:
            raise ValueError(f"{fit.table} {fit.family} is not admitted: {verdict.message}")
        self._shadow(setting, fit)
        trial = self._trial(fit, verdict)
        attempts = [verdict.reservation.memory_bytes]
        while attempts[-1] < fit.peak_bytes:
            trial, granted = self._killed(trial, fit, attempts[-1], setting)
            attempts.append(granted)
        self._learn(replace(trial, state=TrialState.SUCCEEDED, usage=_usage(fit, fit.peak_bytes)))
        return Given(fit, verdict.bound_bytes, tuple(attempts))

    def _setting(self, fit: Fit) -> Setting:
        """Of the table's search, with the reservation sizes of the moment at which it began."""
        key = f"{fit.table}/{fit.cpus}"
        if key not in self._settings:
            limits = Limits(cpus_per_trial=fit.cpus)
            name = f"namespaces/default/datasets/{fit.table.replace('_', '-')}"
            spec = SearchSpec(name, "y", limits=limits)
            sizes = self._gate.sizes(spec, fit.data_shape)
            self._settings[key] = Setting(fit.data_shape, limits, sizes, None, "default")
        return self._settings[key]

    def _shadow(self, setting: Setting, fit: Fit) -> None:
        """Counts what a search with a cap would have refused, and what of that had fitted."""
        limits = replace(setting.limits, memory_per_trial_bytes=self.cap_bytes)
        capped = replace(setting, limits=limits, sizes_bytes=())
        verdict = self._gate.judge(capped, fit.family, fit.settings)
        if verdict.reason is Reason.EXCEEDS_TRIAL_LIMIT or verdict.decision is Decision.SHRUNK:
            self.rejections += 1
            self.false_rejections += fit.peak_bytes <= self.cap_bytes

    def _killed(self, trial: Trial, fit: Fit, held: int, setting: Setting) -> tuple[Trial, int]:
        failure = TrialFailure(FailureKind.MEMORY_EXCEEDED, "above its limit")
        event = TrialEvent(
            trial.number, trial.attempts + 1, TrialState.FAILED, usage=_usage(fit, held),
            failure=failure,
        )  # fmt: skip
        granted = next_reservation_bytes(trial, event, self._gate.cap_bytes(setting))
        attempt = Attempt(trial.attempts + 1, trial.verdict.reservation, event.usage, failure)
        trial = replace(trial, attempts=trial.attempts + 1, history=(*trial.history, attempt))
        self._learn(trial)
        if granted is None or trial.verdict.reservation is None:
            raise ValueError(f"{fit.table} {fit.family} of {fit.peak_bytes} B got no third attempt")
        reservation = replace(trial.verdict.reservation, memory_bytes=granted)
        return replace(trial, verdict=replace(trial.verdict, reservation=reservation)), granted

    def _trial(self, fit: Fit, verdict: Verdict) -> Trial:
        self._number += 1
        search = f"namespaces/default/searches/{fit.table.replace('_', '-')}"
        return Trial(
            f"{search}/trials/{self._number}", search, self._number, str(self._number), fit.family,
            fit.settings, fit.seed, Origin(fit.origin), TrialState.RUNNING, verdict, 0.0,
        )  # fmt: skip

    def _learn(self, trial: Trial) -> None:
        with self._store.transaction() as tx:
            self.calibrator.learn(tx, trial)


def _usage(fit: Fit, peak_bytes: int) -> Usage:
    return Usage(peak_bytes, fit.cpu_seconds, fit.wall_seconds, libraries="measured")


def shifted(fits: Sequence[Fit], learner: Learner, seed: int) -> int:
    """Fits of the shifted families until the trailing `TRAILING` of them are covered again, after
    their peaks grew by `SHIFT`; the trace is repeated in new orders. `_SHIFT_FITS` when never.
    """
    source = random.Random(seed)
    seen: list[bool] = []
    while True:
        for fit in source.sample(fits, len(fits)):
            if fit.family in SHIFTED:
                heavier = replace(fit, peak_bytes=int(SHIFT * fit.peak_bytes))
                seen.append(learner.one(heavier).is_covered)
            else:
                learner.one(fit)
            recent = seen[-TRAILING:]
            if len(recent) == TRAILING and sum(recent) >= RECOVERED * TRAILING:
                return len(seen)
            if len(seen) >= _SHIFT_FITS:
                return _SHIFT_FITS


Estimate = Callable[[Fit], int]
"""Memory of a fit by a policy that does not learn, in bytes."""


def baseline(fits: Iterable[Fit], estimate: Estimate, node_bytes: int) -> list[Given]:
    """A policy that does not learn: too small a reservation is doubled up to the node."""
    given = []
    for fit in fits:
        bound = max(1, min(estimate(fit), node_bytes))
        attempts = [bound]
        while attempts[-1] < fit.peak_bytes:
            attempts.append(min(node_bytes, 2 * attempts[-1]))
        given.append(Given(fit, bound, tuple(attempts)))
    return given


def own_formula(fit: Fit) -> int:
    """The prediction without any safety."""
    return CATALOG.predict(fit.family, fit.data_shape, fit.settings, fit.cpus).peak_memory_bytes


def autogluon(fit: Fit) -> int:
    """What AutoGluon (1.5, `tabular/models`) would estimate for the family that is nearest: its
    published formulas in our words. X: bytes of the training rows as a data frame, 8 a number and 1
    a category; K classes, 1 for regression. Histogram boosting is taken for LightGBM.

    xgboost: 7X + X/4 K + 24 2^D d bins + min(rounds, 1000) K D 500, D at least 6, from 9 on less 1.
    LightGBM: 50 MB + 5X + X/4 K + 24 bins d leaves + min(rounds, 5000) K leaves 100. Forests: 1 MB
    a tree, class and 60,000 rows, + 4X. kNN: 3.6 times 4 bytes a cell. Linear: 15X.
    """
    shape, settings = fit.data_shape, fit.settings
    n, d, classes = shape.train_rows, shape.features, max(1, shape.classes)
    table = n * (8 * (d - shape.categorical_features) + shape.categorical_features)
    if fit.family == "knn":
        return int(3.6 * 4 * n * d)
    if fit.family == "linear":
        return 15 * table
    many = classes if shape.classes > 2 else 1
    if fit.family in ("random_forest", "extra_trees"):
        return int(settings["n_estimators"] * many * n / 60_000 * 1e6) + 4 * table
    if fit.family == "hist_gradient_boosting":
        leaves, rounds = settings["max_leaf_nodes"], settings["max_iter"]
        trees = min(rounds, 5000) * many * leaves * 100
        return int(50e6 + 5 * table + table / 4 * classes + 24 * 255 * d * leaves + trees)
    depth = settings.get("max_depth") or 6
    grown = 6 if depth < 7 else depth if depth <= 8 else min(12, depth - 1)
    trees = min(settings["n_estimators"], 1000) * many * depth * 500
    return int(7 * table + table / 4 * classes + 24 * 2**grown * d * settings["max_bin"] + trees)


def crowded(fits: Sequence[Fit], node_bytes: int, cpus: int) -> float:
    """The share of fits that share a node with more than its memory when nothing is estimated: in
    the stream's order, as many at once as there are cores.
    """
    lost, group, held = 0, [0], 0
    for fit in fits:
        if held + fit.cpus > cpus:
            lost += len(group) * (sum(group) > node_bytes)
            group, held = [], 0
        group.append(fit.peak_bytes)
        held += fit.cpus
    return lost / max(1, len(fits))


@dataclass(frozen=True)
class Figures:
    """What a policy came to. Ratios are medians over fits of `BIG_BYTES` and more."""

    coverage: float
    big_coverage: float
    bound_ratio: float
    reserved_ratio: float
    wasted_share: float
    kills: int


def figures(given: Sequence[Given]) -> Figures:
    """Of all fits of a policy."""
    big = [each for each in given if each.fit.peak_bytes >= BIG_BYTES]
    used = sum(each.fit.peak_bytes * each.fit.wall_seconds for each in given)
    return Figures(
        coverage=_share(given),
        big_coverage=_share(big),
        bound_ratio=_median(each.bound / each.fit.peak_bytes for each in big),
        reserved_ratio=_median(each.reserved / each.fit.peak_bytes for each in big),
        wasted_share=sum(each.wasted for each in given) / max(1.0, used),
        kills=sum(len(each.attempts) - 1 for each in given),
    )


def by_family(given: Sequence[Given]) -> dict[str, list[Given]]:
    """The same, apart."""
    ordered = sorted(given, key=lambda each: each.fit.family)
    return {
        family: list(group)
        for family, group in itertools.groupby(ordered, lambda each: each.fit.family)
    }


def _share(given: Sequence[Given]) -> float:
    return sum(each.is_covered for each in given) / len(given) if given else float("nan")


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return statistics.median(found) if found else float("nan")
