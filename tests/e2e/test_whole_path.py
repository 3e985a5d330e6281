"""One real run of everything: up, upload, search, gate, serve, predict, kill -9, goodbye."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import headgate
from headgate.v1 import deployment_pb2, search_pb2, trial_pb2
from loadtests.local_service import LocalService
from loadtests.messy_table import write_messy_table

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(540)]

State = search_pb2.Search.State
TrialState = trial_pb2.Trial.State
OPTIONS = ("--cpus=2", "--memory=1GiB")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    with LocalService(*OPTIONS, data_dir=tmp_path_factory.mktemp("e2e") / "data") as running:
        yield running


@pytest.fixture
def client(service: LocalService) -> Iterator[headgate.Client]:
    with headgate.connect(service.grpc) as connected:
        yield connected


def cli(service: LocalService, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).parent / "headgate")
    return subprocess.run(
        [program, "--server", service.grpc, *arguments], capture_output=True, text=True, check=False
    )


def document(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as response:
        text: str = response.read().decode()
        return text


def await_state(search: headgate.Search, *states: int) -> search_pb2.Search:
    for message in search.watch():
        if message.HasField("search") and message.search.state in states:
            return message.search
    return search.get()


def test_from_a_table_to_a_served_model(
    service: LocalService, client: headgate.Client, tmp_path: Path
) -> None:
    table, space = tmp_path / "customers.csv", tmp_path / "space.yaml"
    write_messy_table(table, rows=1500)
    space.write_text(
        "families: {extra_trees: {n_estimators: {integers: [8000, 9000]}, "
        "min_samples_leaf: {fixed: 1}, max_depth: {fixed: null}}}"
    )
    created = document(
        cli(
            service,
            "submit",
            str(table),
            "--target=churned",
            "--name=whole",
            "--trials=9",
            "--time=120s",
            "--memory-per-trial=300MiB",
            f"--space={space}",
            "--seed=3",
            "--deploy=whole",
            "--output=json",
        )
    )
    assert created["classes"] == ["no", "yes"]
    final = client.search("whole").wait()
    assert final.state == State.SUCCEEDED, final.error.message
    assert final.best_score > 0.8

    trials = client.search("whole").trials()
    rejected = [t for t in trials if t.state == TrialState.REJECTED]
    assert {t.family for t in rejected} == {"extra_trees"}
    verdict = rejected[0].verdict
    assert verdict.reason == trial_pb2.Verdict.Reason.EXCEEDS_TRIAL_LIMIT
    assert verdict.demand > verdict.limit == 300 << 20
    scored = [t for t in trials if t.state == TrialState.SUCCEEDED]
    assert len(scored) == 9
    for trial in scored:
        assert 0 < trial.usage.peak_memory_bytes <= trial.verdict.reservation.memory_bytes
        assert "watchdog" in trial.usage.enforcement

    listed = document(cli(service, "trials", "whole", "--state=rejected", "--output=json"))
    assert [t["number"] for t in listed["trials"]] == [t.number for t in rejected]
    assert "trial" in cli(service, "logs", "whole").stdout

    await_deployment(client, "whole", deployment_pb2.Deployment.State.READY)
    out = tmp_path / "out.csv"
    done = cli(service, "predict", "whole", "--input", str(table), "--to", str(out))
    assert done.returncode == 0, done.stderr
    header, first, *rest = out.read_text().splitlines()
    assert header == "prediction,proba_no,proba_yes"
    assert len(rest) == 1499
    label, no, yes = first.split(",")
    assert float(no) + float(yes) == pytest.approx(1.0)
    assert label == ("yes" if float(yes) > float(no) else "no")

    bundle = tmp_path / "bundle"
    assert cli(service, "export", "whole", "--to", str(bundle)).returncode == 0
    assert json.loads((bundle / "manifest.json").read_text())["bundle_version"] == 1

    metrics = get(f"http://{service.addresses['http']}/metrics")
    assert 'headgate_searches_ended_total{state="SUCCEEDED"} 1.0' in metrics
    assert 'verdict="REJECTED"' in metrics


def await_deployment(
    client: headgate.Client, name: str, state: deployment_pb2.Deployment.State
) -> deployment_pb2.Deployment:
    deadline = time.monotonic() + 240
    while True:
        found = client.deployment(name)
        if found.state == state:
            return found
        assert time.monotonic() < deadline, f"{name}: {found}"


def test_steering_a_running_search(service: LocalService, client: headgate.Client) -> None:
    search = client.submit("sklearn:wine", "target", name="steered", time_seconds=300, seed=1)
    first = next(m for m in search.watch() if any(t.HasField("score") for t in m.trials))
    assert first.trials
    search.pause()
    assert search.get().state == State.PAUSED
    search.update(headgate.SearchOptions(trials=500), ["spec.budget.max_trials"])
    search.resume()
    await_state(search, State.RUNNING)
    search.stop()
    final = search.wait()
    assert final.state == State.SUCCEEDED, final.error.message
    assert final.spec.budget.max_trials == 500
    assert final.model

    cancelled = client.submit("sklearn:wine", "target", name="cancelled", time_seconds=300)
    await_state(cancelled, State.RUNNING)
    cancelled.cancel()
    assert cancelled.wait().state == State.CANCELLED
    assert not cancelled.get().model
    assert cli(service, "wait", "cancelled").returncode == 1
    cancelled.delete()
    with pytest.raises(headgate.ServerError) as error:
        cancelled.get()
    assert error.value.code == "NOT_FOUND"


def test_bad_input_is_one_line_and_exit_code_2(service: LocalService, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(30)))
    for arguments, text in (
        (("--target=z", "--trials=1"), "search.spec.target_column"),
        (("--target=y", "--trials=1", "--metric=magic"), "search.spec.metric"),
        (("--target=y", "--trials=1", "--family=magic"), "search.spec.families"),
        (("--target=y",), "search.spec.budget"),
        (("--target=y", "--time=-5s"), "--time"),
    ):
        done = cli(service, "submit", str(table), *arguments)
        assert done.returncode == 2, arguments
        assert text in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert done.stdout == ""


def test_kill_minus_9_loses_nothing(service: LocalService, client: headgate.Client) -> None:
    search = client.submit(
        "sklearn:breast_cancer", "target", name="survivor", trials=25, time_seconds=300, seed=2
    )
    next(m for m in search.watch() if any(t.HasField("score") for t in m.trials))
    head = service.ray_session()
    grpc = service.grpc
    service.kill()
    assert head.is_alive
    service.start()
    assert service.grpc == grpc, "drivers that still run must find the controller again"
    assert service.ray_session() == head, "Ray was to be adopted"
    final = client.search("survivor").wait()
    assert final.state == State.SUCCEEDED, final.error.message
    assert final.driver_attempts == 1
    numbers = [t.number for t in client.search("survivor").trials()]
    assert numbers == list(range(len(numbers)))
    assert final.progress.counted_trials == 25
    await_deployment(client, "whole", deployment_pb2.Deployment.State.READY)
