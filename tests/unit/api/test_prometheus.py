"""What is exported: named by the rules, complete from the start, and true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from controller.adapters.prometheus import PrometheusMetrics
from controller.adapters.prometheus_store import StoreCollector
from controller.adapters.sql_store import SqlStore
from controller.api.methods import CODES, METHODS
from controller.domain.errors import Unavailable
from controller.domain.records import Deployment, Reservation, Search, Trial, Verdict
from controller.domain.states import SearchState, TrialState

NOW = 1_700_000_100.0
HEARD = {"namespaces/default/searches/churn": NOW - 5}


class FixedClock:
    def now(self) -> float:
        return NOW


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> PrometheusMetrics:
    return PrometheusMetrics(
        registry, ("xgboost", "linear"), METHODS, CODES, version="1.2.3", clock=FixedClock()
    )


@pytest.fixture
def store() -> Iterator[SqlStore]:
    store = SqlStore("sqlite://")
    yield store
    store.close()


def lint(text: str) -> list[str]:
    """What `promtool check metrics` would find fault with (client_golang, promlint)."""
    faults = []
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        if f"# HELP {name} " not in text and f"# HELP {family.name} " not in text:
            faults.append(f"{name}: no help text")
        if family.type == "counter" and f"# TYPE {name} counter" not in text:
            faults.append(f"{name}: counters end in _total")
        if family.type != "counter" and name.endswith("_total"):
            faults.append(f"{name}: only counters end in _total")
        if family.type not in {"histogram", "summary"} and re.search("_(count|sum|bucket)$", name):
            faults.append(f"{name}: reserved ending")
        if re.search("[A-Z:]", name):
            faults.append(f"{name}: snake_case")
        unit = re.search(
            r"_(milliseconds|microseconds|ms|us|ns|minutes|hours|days|kb|mb|gb|kilobytes|megabytes"
            r"|kib|mib|gib|percent|celsius_milli|s|b|sec|secs)(_total)?$",
            name,
        )
        if unit:
            faults.append(f"{name}: base units")
        if re.search("_(gauge|counter|histogram|summary)(_|$)", name):
            faults.append(f"{name}: type in the name")
    return faults


def test_names_help_and_units_pass_the_rules_of_promtool(
    registry: CollectorRegistry, metrics: PrometheusMetrics, store: SqlStore
) -> None:
    StoreCollector(registry, store, FixedClock(), HEARD.get)
    text = generate_latest(registry).decode()
    assert lint(text) == []
    families = {family.name for family in text_string_to_metric_families(text)}
    assert all(name.startswith("headgate_") for name in families)
    openmetrics = generate_openmetrics(registry)  # type: ignore[no-untyped-call]
    assert openmetrics.decode().endswith("# EOF\n")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("# HELP a x\n# TYPE a counter\na 1\n", "a_total: counters end in _total"),
        ("# TYPE a gauge\na 1\n", "a: no help text"),
        ("# HELP a_ms x\n# TYPE a_ms gauge\na_ms 1\n", "a_ms: base units"),
        ("# HELP a_total x\n# TYPE a_total gauge\na_total 1\n", "a_total: only counters"),
    ],
)
def test_the_rules_find_faults(text: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in lint(text))


def test_all_label_combinations_exist_from_the_start(
    registry: CollectorRegistry, metrics: PrometheusMetrics
) -> None:
    value = registry.get_sample_value
    assert len(METHODS) > 30
    for method in METHODS:
        assert value("headgate_grpc_requests_active", {"method": method}) == 0
        for code in CODES:
            labels = {"method": method, "code": code}
            assert value("headgate_grpc_requests_total", labels) == 0
    rejected = {"family": "linear", "verdict": "REJECTED", "reason": "EXCEEDS_QUOTA"}
    assert value("headgate_admission_decisions_total", rejected) == 0
    admitted = {"family": "xgboost", "verdict": "ADMITTED", "reason": "none"}
    assert value("headgate_admission_decisions_total", admitted) == 0
    ended = {"family": "linear", "state": "INFEASIBLE"}
    assert value("headgate_trials_ended_total", ended) == 0
    never = {"family": "linear", "state": "RUNNING"}
    assert value("headgate_trials_ended_total", never) is None
    assert value("headgate_build_info", {"version": "1.2.3"}) == 1


def test_decisions_and_ends_are_counted(
    registry: CollectorRegistry, metrics: PrometheusMetrics, verdict: Verdict, trial: Trial
) -> None:
    metrics.admission_decided("linear", verdict)
    metrics.trial_ended(replace(trial, ended_at=1_700_000_005.5))
    metrics.trial_ended(replace(trial, state=TrialState.INFEASIBLE))
    metrics.trial_ended(replace(trial, state=TrialState.CANCELLED, usage=None))
    value = registry.get_sample_value
    labels = {"family": "linear", "verdict": "REJECTED", "reason": "EXCEEDS_NODE_MEMORY"}
    assert value("headgate_admission_decisions_total", labels) == 1
    for state in ("SUCCEEDED", "INFEASIBLE", "CANCELLED"):
        assert value("headgate_trials_ended_total", {"family": "xgboost", "state": state}) == 1
    family = {"family": "xgboost"}
    assert value("headgate_trial_duration_seconds_count", family) == 2
    assert value("headgate_trial_duration_seconds_sum", family) == 7.0
    assert value("headgate_trial_overhead_seconds_sum", family) == 1.0
    # 1,000 bytes measured, 120 predicted; the one that hit its limit says nothing exact.
    assert value("headgate_trial_memory_ratio_count", family) == 1
    assert value("headgate_trial_memory_ratio_sum", family) == pytest.approx(1_000 / 120)


def test_searches_reconciles_replays_and_calls_are_counted(
    registry: CollectorRegistry, metrics: PrometheusMetrics
) -> None:
    metrics.search_ended("SUCCEEDED", 42.0)
    metrics.driver_submitted(is_restart=True)
    metrics.reconcile_failed("search")
    metrics.reconciled("retention", 0.25)
    metrics.request_replayed("CreateSearch")
    metrics.rpc_started("SearchService/GetSearch")
    metrics.rpc_started("SearchService/GetSearch")
    metrics.rpc_ended("SearchService/GetSearch", "NOT_FOUND", 0.5)
    value = registry.get_sample_value
    assert value("headgate_search_duration_seconds_sum", {"state": "SUCCEEDED"}) == 42.0
    assert value("headgate_driver_submissions_total", {"kind": "restart"}) == 1
    assert value("headgate_driver_submissions_total", {"kind": "first"}) == 0
    assert value("headgate_reconcile_failures_total", {"what": "search"}) == 1
    last = "headgate_reconcile_last_success_timestamp_seconds"
    assert value(last, {"what": "retention"}) == NOW
    assert value(last, {"what": "search"}) == 0
    assert value("headgate_reconcile_duration_seconds_sum", {"what": "retention"}) == 0.25
    assert value("headgate_reconcile_duration_seconds_count", {"what": "search"}) == 0
    assert value("headgate_idempotent_replays_total", {"method": "CreateSearch"}) == 1
    method = {"method": "SearchService/GetSearch"}
    assert value("headgate_grpc_requests_active", method) == 1
    assert value("headgate_grpc_requests_total", {**method, "code": "NOT_FOUND"}) == 1
    assert value("headgate_grpc_request_duration_seconds_sum", method) == 0.5


def test_the_store_is_read_at_every_scrape(
    registry: CollectorRegistry,
    store: SqlStore,
    search: Search,
    trial: Trial,
    deployment: Deployment,
) -> None:
    StoreCollector(registry, store, FixedClock(), HEARD.get)
    value = registry.get_sample_value
    assert value("headgate_searches", {"state": "RUNNING"}) == 0
    ended = replace(search, name=f"{search.name}-old")
    running = replace(
        search, state=SearchState.RUNNING, heartbeat_at=NOW - 50, best_trial=trial.name
    )
    held = replace(trial.verdict, reservation=Reservation(2, 0.0, 256))
    with store.transaction() as tx:
        for record in (ended, running, deployment):
            tx.put(record)
        tx.put(trial)
        for number in (4, 5):
            name = f"{search.name}/trials/{number}"
            tx.put(
                replace(
                    trial,
                    name=name,
                    number=number,
                    candidate_id=f"c{number}",
                    state=TrialState.RUNNING,
                    verdict=held,
                )
            )
        tx.put(replace(trial, name=f"{ended.name}/trials/3", search=ended.name, candidate_id="x"))
    assert value("headgate_searches", {"state": "RUNNING"}) == 1
    assert value("headgate_searches", {"state": "FAILED"}) == 1
    assert value("headgate_trials", {"state": "RUNNING"}) == 2
    assert value("headgate_trials", {"state": "SUCCEEDED"}) == 1, "that of an ended search is not"
    assert value("headgate_reserved_memory_bytes") == 512
    assert value("headgate_reserved_cpus") == 4
    assert value("headgate_deployments", {"state": "FAILED"}) == 1
    assert value("headgate_driver_heartbeat_age_seconds") == 5.0
    assert value("headgate_best_score_age_seconds") == 98.0
    assert value("headgate_store_up") == 1


def test_a_store_that_is_away_is_told_and_nothing_else(
    registry: CollectorRegistry, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(store, "transaction", away)
    StoreCollector(registry, store, FixedClock(), HEARD.get)
    assert registry.get_sample_value("headgate_store_up") == 0
    assert registry.get_sample_value("headgate_searches", {"state": "RUNNING"}) is None
