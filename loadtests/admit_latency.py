"""Measures how long decisions take: in process, and `Admit` over gRPC under an open load.

    python -m loadtests.admit_latency [--seconds N] [--rate N] [--profile]

Four searches with 32 open trials on a pretended node. In process: the gate's verdicts on a batch of
16 candidates and the ledger's allotment with them. Over gRPC: the real server and services on a
SQLite file, in a process of their own; `loadtests.admit_calls` makes the calls. CPU beside wall
time tells what the machine's other work costs. `--profile` shows where the time of direct calls
goes. Exits with 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import multiprocessing
import pstats
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import headgate
from controller.domain import ledger, sampling
from controller.domain.ledger import Claim, Need, Standing
from controller.domain.records import (
    Candidate,
    Dataset,
    Origin,
    Search,
    SearchSpec,
    Trial,
    TrialEvent,
    Usage,
)
from controller.domain.states import TrialState
from controller.in_process import InProcessController
from controller.ports.cluster import Node
from controller.service.catalog import FamilyCatalog
from controller.service.worker import WorkerService
from headgate.v1 import trial_pb2
from loadtests.admit_calls import Tally, offer
from loadtests.plan_latency import table
from loadtests.targets import Target, judged, percentile, say_load
from workers.families.registry import FAMILIES

BATCH = 16
OPEN_TRIALS = 32
SEARCHES = 4
MOST_DECISION_MS = 1.0
MOST_ADMIT_MS = 10.0
ROWS, COLUMNS = 200_000, 100
TRIAL_BYTES = 192 << 20
"""Of the table that is pretended, and what its trials may use: most of the default space is
refused, as in a search that asks so often.
"""
NODES = tuple(Node(f"node-{i}", 4.0, 0.0, 1 << 30) for i in range(4))
FAMILY_NAMES = tuple(FAMILIES)


def proposals(seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Candidates of the default space, without end."""
    catalog = FamilyCatalog(FAMILIES)
    space = catalog.space_of(SearchSpec("namespaces/default/datasets/load", "y"))
    while True:
        yield from sampling.draw(space, catalog.declarations, 10_000, seed)
        seed += 1


def started(controller: InProcessController) -> list[tuple[str, str]]:
    """The names and tokens of the searches, which wait for their drivers."""
    with controller.store.transaction() as tx:
        name = tx.put(table("load", ROWS, COLUMNS, 0)).name
    with headgate.connect(controller.address) as client:
        names = [
            client.submit(
                name,
                "y",
                name=f"s{i}",
                trials=1_000_000,
                time_seconds=86_400,
                memory_per_trial_bytes=TRIAL_BYTES,
            ).name
            for i in range(SEARCHES)
        ]
    return [(each, controller.search_token(each)) for each in names]


def served(directory: Path) -> InProcessController:
    """A controller on a SQLite file."""
    database = f"sqlite:///{directory / 'store.db'}"
    return InProcessController(directory / "controller", nodes=NODES, database=database)


def _serve(pipe: Connection, directory: str) -> None:
    """Runs in the server's process, until the other end says that it may end."""
    with served(Path(directory)) as controller:
        pipe.send((controller.address, started(controller)))
        began = time.process_time()
        pipe.recv()
        pipe.send(time.process_time() - began)


def claims(now: float, waiting: int) -> list[Claim]:
    """The open trials of the searches, four running and four granted, and `waiting` new ones."""
    standings = [Standing.RUNNING] * 4 + [Standing.GRANTED] * 4
    standings += [Standing.WAITING] * (OPEN_TRIALS - len(standings) + waiting)
    return [
        Claim(
            owner=f"namespaces/default/searches/s{i % SEARCHES}/trials/{i}",
            group=f"namespaces/default/searches/s{i % SEARCHES}",
            namespace="default",
            need=Need((64 + 16 * (i % 7)) << 20, 1.0, 0.0),
            standing=standing,
            since=now - 60.0 + i,
            seconds=1.0 + i % 5,
        )
        for i, standing in enumerate(standings)
    ]


def decisions(controller: InProcessController, batches: int) -> dict[str, list[float]]:
    """Milliseconds of the parts of a decision about a batch, by part, wall and CPU."""
    with controller.store.transaction() as tx:
        search = tx.list_all(Search)[0]
        dataset = tx.list_all(Dataset)[0]
    setting = controller.gate.setting(search, dataset, 3600.0)
    setting = replace(setting, sizes_bytes=(64 << 20, 128 << 20, 384 << 20))
    capacity = controller.cluster_view.capacity()
    assert capacity is not None
    source, taken = proposals(1), dict[str, list[float]]()
    for _ in range(batches):
        batch, now = [next(source) for _ in range(BATCH)], time.time()
        waiting = claims(now, BATCH)

        def judge(batch: Sequence[tuple[str, dict[str, Any]]] = batch) -> None:
            for family, parameters in batch:
                controller.gate.judge(setting, family, parameters)

        def allot(waiting: list[Claim] = waiting, now: float = now) -> None:
            ledger.allot(capacity.nodes, waiting, now)

        spent = {"judge": _timed(judge), "allot": _timed(allot)}
        for part, (wall, cpu) in spent.items():
            taken.setdefault(part, []).append(wall)
            taken.setdefault(f"{part} CPU", []).append(cpu)
        taken.setdefault("both", []).append(sum(wall for wall, _ in spent.values()))
        taken.setdefault("both CPU", []).append(sum(cpu for _, cpu in spent.values()))
    return taken


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """Milliseconds, wall and CPU."""
    cpu, wall = time.thread_time(), time.perf_counter()
    work()
    return (time.perf_counter() - wall) * 1e3, (time.thread_time() - cpu) * 1e3


class DirectDriver:
    """A driver without gRPC: calls the service in this process, keeps `open_trials` open."""

    def __init__(self, worker: WorkerService, name: str, token: str, open_trials: int) -> None:
        self._worker = worker
        self._token = token
        self._session = worker.open_session(token, name, "direct").session
        self._open_trials = open_trials
        self._open: set[int] = set()

    def admit(self, candidates: Sequence[Candidate]) -> tuple[float, float]:
        """Milliseconds of the call, wall and CPU; then ends what is open beyond the rest."""
        answers = []
        call = partial(self._worker.admit, self._token, self._session, candidates)
        taken = _timed(lambda: answers.append(call()))
        ((trials, directive),) = answers
        self._open.update(t.number for t in trials if t.state is not TrialState.REJECTED)
        startable = directive.startable
        while len(self._open) > self._open_trials and startable:
            startable = self._end(startable[0])
        return taken

    def _end(self, trial: Trial) -> tuple[Trial, ...]:
        """Reports a trial as run; gives those that may start then."""
        self._open.discard(trial.number)
        attempt, needed = trial.attempts + 1, trial.verdict.prediction.peak_memory_bytes
        running = TrialEvent(trial.number, attempt, TrialState.RUNNING)
        usage = Usage(needed, 1.0, 1.0)
        ended = TrialEvent(trial.number, attempt, TrialState.SUCCEEDED, 0.5, (0.5,) * 5, {}, usage)
        _, directive = self._worker.report(self._token, self._session, [running, ended])
        return directive.startable


def direct_calls(controller: InProcessController, count: int) -> list[tuple[float, float]]:
    """Milliseconds of `WorkerService.admit` with one candidate or two, wall and CPU."""
    drivers = [
        DirectDriver(controller.services.worker, name, token, OPEN_TRIALS // SEARCHES)
        for name, token in started(controller)
    ]
    source, taken = proposals(2), []
    for index in range(count):
        batch = [
            Candidate(f"d{index}-{i}", *next(source), 0, Origin.SAMPLED)
            for i in range(1 + index % 2)
        ]
        taken.append(drivers[index % SEARCHES].admit(batch))
    return taken[len(taken) // 10 :]


def in_process(arguments: argparse.Namespace) -> Target:
    """Prints what decisions and direct calls take; gives the target for decisions."""
    with tempfile.TemporaryDirectory() as name, served(Path(name)) as controller:
        profile = cProfile.Profile(time.thread_time)
        if arguments.profile:
            profile.enable()
        direct = direct_calls(controller, arguments.direct)
        profile.disable()
        taken = decisions(controller, arguments.batches)
    _line("Admit called directly", [wall for wall, _ in direct])
    _line("  its CPU time", [cpu for _, cpu in direct])
    for part, values in taken.items():
        _line(f"batch of {BATCH}, {part}", values)
    if arguments.profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
    return Target.at_most(
        f"batch of {BATCH} decided in process, p99", percentile(taken["both"], 0.99),
        MOST_DECISION_MS, "ms",
    )  # fmt: skip


def over_grpc(arguments: argparse.Namespace) -> Target:
    """Prints what calls take under the load; gives the target for them."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as name:
        server = context.Process(target=_serve, args=(theirs, name))
        server.start()
        try:
            address, searches = ours.recv()
            tally = asyncio.run(
                offer(
                    address, searches, proposals(3), rate=arguments.rate,
                    seconds=arguments.seconds, open_trials=OPEN_TRIALS // SEARCHES,
                )
            )  # fmt: skip
            ours.send("end")
            cpu_seconds = ours.recv()
        finally:
            server.terminate()  # what it still has to do is of no use to anybody
            server.join()
    return _told(tally, arguments, cpu_seconds)


def _told(tally: Tally, arguments: argparse.Namespace, cpu_seconds: float) -> Target:
    states = Counter(trial_pb2.Trial.State.Name(state) for state in tally.states)
    calls, trials = len(tally.admit_seconds), max(1, len(tally.states))
    shown = ", ".join(f"{count / trials:.0%} {state}" for state, count in states.most_common())
    print(
        f"{calls} calls at {arguments.rate:g}/s, {len(tally.report_seconds)} reports beside them; "
        f"{trials} candidates: {shown}"
    )
    answered = calls - tally.unanswered + len(tally.report_seconds)
    print(
        f"{tally.unanswered} unanswered; server: {cpu_seconds * 1e3 / answered:.2f} ms CPU a call"
    )
    _line("Admit over gRPC, from due", [each * 1e3 for each in tally.admit_seconds])
    _line("  of it until sent", [each * 1e3 for each in tally.late_seconds])
    _line("ReportTrials", [each * 1e3 for each in tally.report_seconds] or [0.0])
    late = [each * 1e3 for each in tally.admit_seconds]
    return Target.at_most(
        f"Admit at {arguments.rate:g}/s, p99", percentile(late, 0.99), MOST_ADMIT_MS, "ms"
    )


def _line(what: str, values: Sequence[float]) -> None:
    p50, p99 = statistics.median(values), percentile(values, 0.99)
    print(f"{what:36} p50 {p50:8.2f}  p99 {p99:8.2f}  max {max(values):8.2f} ms", flush=True)


def main() -> None:
    """Measures both ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=500, help="decided in process")
    parser.add_argument("--direct", type=int, default=400, help="calls without gRPC")
    parser.add_argument("--rate", type=float, default=200.0, help="calls a second")
    parser.add_argument("--seconds", type=float, default=15.0, help="of calls")
    parser.add_argument("--profile", action="store_true", help="of the calls without gRPC")
    arguments = parser.parse_args()
    say_load("before")
    targets = [in_process(arguments), over_grpc(arguments)]
    say_load("after")
    sys.exit(not judged(targets))


if __name__ == "__main__":
    main()
