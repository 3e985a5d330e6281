"""Exports what the control plane counts to Prometheus.

| metric | type | labels | what |
|---|---|---|---|
| headgate_build_info | gauge | version | always 1 |
| headgate_grpc_requests_total | counter | method, code | calls that ended |
| headgate_grpc_request_duration_seconds | histogram | method | their length |
| headgate_grpc_requests_active | gauge | method | calls that go on |
| headgate_admission_decisions_total | counter | family, verdict, reason | candidates decided |
| headgate_admission_wait_seconds | histogram | | how long deferred trials waited for room |
| headgate_trials_ended_total | counter | family, state | started trials that ended |
| headgate_trial_memory_retries_total | counter | family | attempts after running out of memory |
| headgate_trial_duration_seconds | histogram | family | wall time in the sandbox |
| headgate_trial_overhead_seconds | histogram | family | from start to end, less that wall time |
| headgate_trial_peak_memory_bytes | histogram | family | measured peak |
| headgate_trial_bounds_total | counter | family, result | bounds that were `held`, `exceeded` |
| headgate_trial_bound_ratio | histogram | family | measured peak / bound, if it SUCCEEDED |
| headgate_calibration_factor | gauge | family | times a large prediction is its bound |
| headgate_calibration_fits | gauge | family | measured fits behind that factor |
| headgate_trial_memory_ratio | histogram | family | measured peak / predicted, if it SUCCEEDED |
| headgate_searches_ended_total | counter | state | searches that ended |
| headgate_search_duration_seconds | histogram | state | from creation to end |
| headgate_driver_submissions_total | counter | kind | drivers handed to Ray: `first`, `restart` |
| headgate_reconcile_duration_seconds | histogram | what | a reconcile round that succeeded |
| headgate_reconcile_failures_total | counter | what | reconcile steps that failed |
| headgate_reconcile_last_success_timestamp_seconds | gauge | what | 0 at first |
| headgate_idempotent_replays_total | counter | method | calls answered from memory |

`controller.adapters.prometheus_store` adds what is read from the store, and `prometheus_ledger`
what the ledger says. Labels are bounded: never a name of a search, trial, model or user. Every
combination exists from the start, so that `rate()` and `absent()` work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from controller.domain.calibration import Factor
from controller.domain.records import Decision, Reason, Trial, Verdict
from controller.domain.states import SearchState, TrialState, is_search_final, is_trial_final
from controller.ports.clock import Clock, SystemClock

HELD, EXCEEDED = "held", "exceeded"
NO_REASON = "none"
"""The reason of a verdict that is no rejection."""

RECONCILED = ("search", "deployment", "cluster", "retention")
"""What is reconciled; `cluster` is the look at Ray's nodes that begins each round of `search`."""

# A trial takes from a tenth of a second to hours, so the steps grow; a call takes milliseconds.
_TRIAL_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1_800, 3_600, 7_200, 14_400)
_SEARCH_SECONDS = (10, 30, 60, 180, 600, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400)
_OVERHEAD_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
_CALL_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60)
_MEMORY_BYTES = tuple(float(2**power) for power in range(20, 39, 2))  # 1 MiB to 256 GiB
# Around 1, where a prediction is right, and 1.5, the default safety factor.
_RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5)

_TRIAL_ENDS = tuple(s for s in TrialState if is_trial_final(s) and s is not TrialState.REJECTED)
_SEARCH_ENDS = tuple(s for s in SearchState if is_search_final(s))


class PrometheusMetrics:
    """`controller.ports.metrics.Metrics`, and the API's calls. Thread-safe.

    families: all that a search may draw from. methods: gRPC methods, as `SearchService/GetSearch`.
    codes: status codes that calls may end with.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        families: Sequence[str] = (),
        methods: Sequence[str] = (),
        codes: Sequence[str] = (),
        version: str = "",
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._rpc = _RpcMetrics(registry, methods, codes)
        self._trials = _TrialMetrics(registry, families)
        self._searches = _SearchMetrics(registry)
        self._reconcile = _ReconcileMetrics(registry)
        self._replays = Counter(
            "headgate_idempotent_replays_total",
            "Calls with a known request_id that were answered from memory.",
            ("method",),
            registry=registry,
        )
        info = Gauge("headgate_build_info", "Always 1.", ("version",), registry=registry)
        info.labels(version).set(1)

    def admission_decided(self, family: str, verdict: Verdict) -> None:
        """The gate decided about a candidate."""
        self._trials.decided(family, verdict)

    def trial_ended(self, trial: Trial) -> None:
        """A trial that had started reached a final state."""
        self._trials.ended(trial)

    def trial_retried(self, trial: Trial) -> None:
        """A trial that ran out of memory gets another attempt."""
        self._trials.retries.labels(trial.family).inc()
        self._trials.bounds.labels(trial.family, EXCEEDED).inc()

    def calibrated(self, family: str, factor: Factor) -> None:
        """A family's memory bounds are made with this factor from now on."""
        self._trials.factor.labels(family).set(math.exp(factor.score))
        self._trials.fits.labels(family).set(factor.fits)

    def trial_waited(self, seconds: float) -> None:
        """A trial that was deferred may start."""
        self._trials.waits.observe(seconds)

    def search_ended(self, state: str, seconds: float) -> None:
        """A search reached a final state, `seconds` after its creation."""
        self._searches.ended.labels(state).inc()
        self._searches.duration.labels(state).observe(seconds)

    def reconcile_failed(self, what: str) -> None:
        """A reconcile step failed."""
        self._reconcile.failures.labels(what).inc()

    def reconciled(self, what: str, seconds: float) -> None:
        """A reconcile round in which nothing failed took `seconds`."""
        self._reconcile.duration.labels(what).observe(seconds)
        self._reconcile.last_success.labels(what).set(self._clock.now())

    def request_replayed(self, method: str) -> None:
        """A call with a known `request_id` was answered from memory."""
        self._replays.labels(method).inc()

    def driver_submitted(self, is_restart: bool) -> None:
        """A search's driver was handed to Ray."""
        self._searches.drivers.labels("restart" if is_restart else "first").inc()

    def rpc_started(self, method: str) -> None:
        """A call came in."""
        self._rpc.active.labels(method).inc()

    def rpc_ended(self, method: str, code: str, seconds: float) -> None:
        """It ended with a code, such as `NOT_FOUND`, after `seconds`."""
        self._rpc.active.labels(method).dec()
        self._rpc.requests.labels(method, code).inc()
        self._rpc.duration.labels(method).observe(seconds)


class _RpcMetrics:
    """Calls of the API."""

    def __init__(
        self, registry: CollectorRegistry, methods: Sequence[str], codes: Sequence[str]
    ) -> None:
        self.requests = Counter(
            "headgate_grpc_requests_total",
            "gRPC calls that ended, by method and status code.",
            ("method", "code"),
            registry=registry,
        )
        self.duration = Histogram(
            "headgate_grpc_request_duration_seconds",
            "Length of gRPC calls; a watch lasts as long as it is followed.",
            ("method",),
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self.active = Gauge(
            "headgate_grpc_requests_active",
            "gRPC calls that go on.",
            ("method",),
            registry=registry,
        )
        for method in methods:
            self.duration.labels(method)
            self.active.labels(method)
        for method, code in product(methods, codes):
            self.requests.labels(method, code)


class _TrialMetrics:
    """The gate's decisions, and what became of trials."""

    def __init__(self, registry: CollectorRegistry, families: Sequence[str]) -> None:
        self._decisions = Counter(
            "headgate_admission_decisions_total",
            "Candidates that the gate decided about.",
            ("family", "verdict", "reason"),
            registry=registry,
        )
        self.bounds = Counter(
            "headgate_trial_bounds_total",
            "Memory bounds that measured fits stayed below, or went above.",
            ("family", "result"),
            registry=registry,
        )
        self._bound_ratio = Histogram(
            "headgate_trial_bound_ratio",
            "Measured peak memory over the memory bound of trials that succeeded.",
            ("family",),
            buckets=_RATIOS,
            registry=registry,
        )
        self.factor = Gauge(
            "headgate_calibration_factor",
            "Times a large memory prediction is its bound.",
            ("family",),
            registry=registry,
        )
        self.fits = Gauge(
            "headgate_calibration_fits",
            "Measured fits behind the calibration factor.",
            ("family",),
            registry=registry,
        )
        self.waits = Histogram(
            "headgate_admission_wait_seconds",
            "How long trials that fit waited for room in the cluster.",
            buckets=_TRIAL_SECONDS,
            registry=registry,
        )
        self.retries = Counter(
            "headgate_trial_memory_retries_total",
            "Further attempts of trials that ran out of memory.",
            ("family",),
            registry=registry,
        )
        self._ended = Counter(
            "headgate_trials_ended_total",
            "Trials that had started and reached a final state.",
            ("family", "state"),
            registry=registry,
        )
        self._duration = Histogram(
            "headgate_trial_duration_seconds",
            "Wall time of trials in the sandbox.",
            ("family",),
            buckets=_TRIAL_SECONDS,
            registry=registry,
        )
        self._overhead = Histogram(
            "headgate_trial_overhead_seconds",
            "Time from a trial's start to its end, less its wall time in the sandbox.",
            ("family",),
            buckets=_OVERHEAD_SECONDS,
            registry=registry,
        )
        self._peak = Histogram(
            "headgate_trial_peak_memory_bytes",
            "Measured peak memory of trials above the sandbox's baseline.",
            ("family",),
            buckets=_MEMORY_BYTES,
            registry=registry,
        )
        self._ratio = Histogram(
            "headgate_trial_memory_ratio",
            "Measured peak memory over predicted peak memory of trials that succeeded.",
            ("family",),
            buckets=_RATIOS,
            registry=registry,
        )
        for family in families:
            self._initialise(family)

    def _initialise(self, family: str) -> None:
        for decision in Decision:
            reasons = Reason if decision is Decision.REJECTED else (NO_REASON,)
            for reason in reasons:
                self._decisions.labels(family, decision.value, str(reason))
        for state in _TRIAL_ENDS:
            self._ended.labels(family, state.value)
        self.retries.labels(family)
        for result in (HELD, EXCEEDED):
            self.bounds.labels(family, result)
        for histogram in (
            self._duration, self._overhead, self._peak, self._ratio, self._bound_ratio
        ):  # fmt: skip
            histogram.labels(family)

    def decided(self, family: str, verdict: Verdict) -> None:
        """Counts a decision."""
        reason = verdict.reason.value if verdict.reason else NO_REASON
        self._decisions.labels(family, verdict.decision.value, reason).inc()

    def ended(self, trial: Trial) -> None:
        """Counts an end, and observes what was measured."""
        family, usage = trial.family, trial.usage
        self._ended.labels(family, trial.state.value).inc()
        if usage is None:
            return
        self._duration.labels(family).observe(usage.wall_seconds)
        self._peak.labels(family).observe(usage.peak_memory_bytes)
        if trial.started_at is not None and trial.ended_at is not None:
            overhead = trial.ended_at - trial.started_at - usage.wall_seconds
            self._overhead.labels(family).observe(max(0.0, overhead))
        predicted = trial.verdict.prediction.peak_memory_bytes
        bound = trial.verdict.bound_bytes
        if trial.state is TrialState.SUCCEEDED and bound > 0:
            is_held = usage.peak_memory_bytes <= bound
            self.bounds.labels(family, HELD if is_held else EXCEEDED).inc()
            self._bound_ratio.labels(family).observe(usage.peak_memory_bytes / bound)
        elif trial.state is TrialState.INFEASIBLE:
            self.bounds.labels(family, EXCEEDED).inc()
        if trial.state is TrialState.SUCCEEDED and predicted > 0:
            self._ratio.labels(family).observe(usage.peak_memory_bytes / predicted)


class _SearchMetrics:
    """Searches and their drivers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ended = Counter(
            "headgate_searches_ended_total",
            "Searches that reached a final state.",
            ("state",),
            registry=registry,
        )
        self.duration = Histogram(
            "headgate_search_duration_seconds",
            "Time from a search's creation to its end.",
            ("state",),
            buckets=_SEARCH_SECONDS,
            registry=registry,
        )
        self.drivers = Counter(
            "headgate_driver_submissions_total",
            "Search drivers handed to Ray.",
            ("kind",),
            registry=registry,
        )
        for state in _SEARCH_ENDS:
            self.ended.labels(state.value)
            self.duration.labels(state.value)
        for kind in ("first", "restart"):
            self.drivers.labels(kind)


class _ReconcileMetrics:
    """The loop that closes the difference between what is wanted and what is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.duration = Histogram(
            "headgate_reconcile_duration_seconds",
            "Length of reconcile rounds in which nothing failed.",
            ("what",),
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self.failures = Counter(
            "headgate_reconcile_failures_total",
            "Reconcile steps that failed.",
            ("what",),
            registry=registry,
        )
        self.last_success = Gauge(
            "headgate_reconcile_last_success_timestamp_seconds",
            "When the last round in which nothing failed ended, in seconds since the Unix epoch.",
            ("what",),
            registry=registry,
        )
        for what in RECONCILED:
            self.failures.labels(what)
            self.duration.labels(what)
            self.last_success.labels(what)
