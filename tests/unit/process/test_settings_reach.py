"""A whole controller on a Ray that is not there: it stays up, says why, and its settings hold."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import headgate
from controller.app import Controller
from controller.data_dir import DataDir
from controller.domain.records import Candidate, Origin, Quota, Search
from controller.service import tokens
from controller.settings import ControllerSettings
from headgate.errors import ServerError

DEAD = "http://127.0.0.1:1"
SECONDS = 30.0


@contextmanager
def running(directory: Path, **changes: Any) -> Iterator[tuple[Controller, headgate.Client]]:
    """A controller in a thread of its own."""
    settings = ControllerSettings(
        directory, grpc_address="127.0.0.1:0", http_address="127.0.0.1:0", ray_address=DEAD
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def build(data_dir: DataDir) -> Controller:
        made = Controller(replace(settings, **changes), data_dir, None)
        await made.start()
        return made

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(SECONDS)

    with DataDir(directory) as data_dir:
        try:
            controller = run(build(data_dir))
            try:
                with headgate.connect(controller.grpc) as client:
                    yield controller, client
            finally:
                run(controller.stop())
                run(loop.shutdown_default_executor())
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def get(controller: Controller, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{controller.http}{path}", timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def metric(controller: Controller, line: str) -> float:
    found = [each for each in get(controller, "/metrics")[1].splitlines() if each.startswith(line)]
    return float(found[0].rsplit(" ", 1)[1])


def wait_for(holds: Callable[[], bool]) -> None:
    """For what other processes and threads do, of which nobody tells."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def refusal(call: Callable[[], Any]) -> ServerError:
    with pytest.raises(ServerError) as caught:
        call()
    return caught.value


def test_a_controller_whose_ray_is_away_says_so_and_goes_on(tmp_path: Path) -> None:
    with running(tmp_path) as (controller, client):
        wait_for(lambda: "does not answer" in get(controller, "/readyz")[1])
        status, body = get(controller, "/readyz")
        ready = json.loads(body)
        assert (status, ready["ready"], ready["components"]["store"]) == (503, False, "ok")
        assert DEAD in ready["components"]["ray"]
        assert get(controller, "/healthz")[0] == 200
        search = client.submit("sklearn:iris", "target", trials=3)
        wait_for(lambda: "Ray does not answer" in search.get().pending_reason)
        assert metric(controller, 'headgate_reconcile_failures_total{what="cluster"}') > 0
        last = "headgate_reconcile_last_success_timestamp_seconds"
        assert metric(controller, f'{last}{{what="cluster"}}') == 0
        assert metric(controller, f'{last}{{what="search"}}') == 0
        assert metric(controller, f'{last}{{what="deployment"}}') > 0


def admitted(controller: Controller, search: str) -> Any:
    """The verdict on a default configuration, asked for as a driver does."""
    with controller._store.transaction() as tx:
        record = tx.get(Search, search)
        assert record is not None
        tx.put(replace(record, driver_job="j", driver_attempts=1))
        token = tokens.kept(tx, search)
    worker = controller._services.worker
    session = worker.open_session(token, search, "driver").session
    parameters = {"n_neighbors": 5}
    declared = worker._catalog.declarations["knn"].parameters
    parameters |= {each.name: each.default for each in declared if each.name not in parameters}
    candidate = Candidate("c", "knn", parameters, 0, Origin.SAMPLED)
    (trial,), _ = worker.admit(token, session, [candidate])
    return trial.verdict


def test_the_coverage_reaches_the_gate(tmp_path: Path) -> None:
    bounds = []
    for name, coverage in (("half", 0.5), ("most", 0.995)):
        with running(tmp_path / name, coverage=coverage) as (controller, client):
            search = client.submit("sklearn:iris", "target", trials=3)
            verdict = admitted(controller, search.name)
            assert verdict.calibration.coverage == coverage
            bounds.append(verdict.bound_bytes)
    assert bounds[0] < bounds[1]


def test_quotas_reach_the_gate(tmp_path: Path) -> None:
    quotas = {"default": Quota(memory_bytes=1 << 20)}
    with running(tmp_path, quotas=quotas) as (_, client):
        error = refusal(lambda: client.submit("sklearn:iris", "target", trials=3))
        assert error.reason == "NOTHING_FITS"
        assert "EXCEEDS_QUOTA" in error.message


def test_the_largest_upload_holds(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b\n" + "1,2\n" * 600)
    with running(tmp_path / "data", max_upload_bytes=1000) as (_, client):
        error = refusal(lambda: client.create_dataset(table))
        assert (error.code, error.metadata["limit_bytes"]) == ("RESOURCE_EXHAUSTED", "1000")
        error = refusal(lambda: client.create_dataset(table.as_uri()))
        assert "1000" in error.message


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ({"reader_timeout_seconds": 0.01}, "took more than 0.01 seconds"),
        ({"reader_memory_bytes": 1 << 20}, "more than the 1 MiB that a reader"),
    ],
)
def test_a_readers_limits_hold(tmp_path: Path, limit: dict[str, Any], text: str) -> None:
    with running(tmp_path, **limit) as (_, client):
        error = refusal(lambda: client.create_dataset("sklearn:iris"))
        assert error.code == "RESOURCE_EXHAUSTED"
        assert text in error.message


def test_ended_searches_are_kept_as_long_as_was_said(tmp_path: Path) -> None:
    with running(tmp_path) as (_, client):
        client.submit("sklearn:iris", "target", trials=3, name="old").cancel()
    with running(tmp_path, retention_seconds=3600.0) as (controller, client):
        retained = 'headgate_reconcile_last_success_timestamp_seconds{what="retention"}'
        wait_for(lambda: metric(controller, retained) > 0)
        assert [search.name for search in client.searches()] != []
    with running(tmp_path, retention_seconds=0.0) as (_, client):
        wait_for(lambda: not list(client.searches()))
