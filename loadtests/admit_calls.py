"""Drivers that ask the gate at fixed times, whether answers are there or not: for `admit_latency`.

Each search has a driver. Calls arrive as a Poisson process and take the drivers in turn; a latency
counts from the moment a call was due, so a server that falls behind is seen to. As real ones do,
drivers report the trials that the controller lets start, and so keep a number of trials open.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode, aio

from headgate.v1 import trial_pb2, worker_service_pb2, worker_service_pb2_grpc
from workers.driver.values import to_struct

State = trial_pb2.Trial.State
DEADLINE_SECONDS = 10.0
Proposals = Iterator[tuple[str, dict[str, Any]]]


@dataclass
class Tally:
    """admit_seconds: from due to answered. late_seconds: from due to sent, the client's own doing.
    report_seconds: from sent to answered, of reports. states: the states that candidates got.
    unanswered: calls given up after `DEADLINE_SECONDS`; they count in admit_seconds, too.
    """

    admit_seconds: list[float] = field(default_factory=list)
    late_seconds: list[float] = field(default_factory=list)
    report_seconds: list[float] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    unanswered: int = 0


class Driver:
    """One search's driver. open_trials: how many it keeps open."""

    def __init__(
        self,
        stub: worker_service_pb2_grpc.WorkerServiceStub,
        search: str,
        token: str,
        proposals: Proposals,
        open_trials: int,
    ) -> None:
        self._stub: Any = stub
        self._search = search
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._proposals = proposals
        self._open_trials = open_trials
        self._numbers = itertools.count()
        self._session = ""
        self._open: set[int] = set()
        self._startable: list[trial_pb2.Trial] = []
        self._is_news = asyncio.Event()

    async def begin(self) -> None:
        """Opens the session and fills the search with open trials."""
        request = worker_service_pb2.OpenSessionRequest(search=self._search, driver_id="load")
        opened = await self._stub.OpenSession(request, metadata=self._metadata)
        self._session = opened.session
        while len(self._open) < self._open_trials:
            await self.admit(2)

    async def admit(self, count: int) -> list[State]:
        """Asks about so many new candidates; the states they got."""
        request = worker_service_pb2.AdmitRequest(
            session=self._session, candidates=[self._candidate() for _ in range(count)]
        )
        answer = await self._stub.Admit(request, metadata=self._metadata, timeout=DEADLINE_SECONDS)
        self._open.update(t.number for t in answer.trials if t.state != State.REJECTED)
        self._take(answer.directive)
        return [trial.state for trial in answer.trials]

    async def end_trials(self, tally: Tally) -> None:
        """Reports trials that may start as run, while more are open than shall be. Ends when it is
        cancelled, or when a report is not answered in time.
        """
        while True:
            await self._is_news.wait()
            self._is_news.clear()
            while len(self._open) > self._open_trials and self._startable:
                trial = self._startable.pop(0)
                if trial.number in self._open:
                    self._open.discard(trial.number)
                    await self._report(_running(trial), tally)
                    await self._report(_ended(trial), tally)

    async def _report(self, event: worker_service_pb2.TrialEvent, tally: Tally) -> None:
        began = time.perf_counter()
        request = worker_service_pb2.ReportTrialsRequest(session=self._session, events=[event])
        answer = await self._stub.ReportTrials(
            request, metadata=self._metadata, timeout=DEADLINE_SECONDS
        )
        tally.report_seconds.append(time.perf_counter() - began)
        self._take(answer.directive)

    def _candidate(self) -> worker_service_pb2.Candidate:
        family, parameters = next(self._proposals)
        return worker_service_pb2.Candidate(
            candidate_id=f"c{next(self._numbers)}",
            family=family,
            parameters=to_struct(parameters),
            origin=trial_pb2.CANDIDATE_ORIGIN_SAMPLED,
        )

    def _take(self, directive: worker_service_pb2.Directive) -> None:
        if directive.mode != worker_service_pb2.Directive.RUN:
            raise RuntimeError(f"{self._search} does not run any more")
        self._startable = list(directive.startable)
        self._is_news.set()


async def offer(
    address: str,
    searches: Sequence[tuple[str, str]],
    proposals: Proposals,
    *,
    rate: float,
    seconds: float,
    open_trials: int,
) -> Tally:
    """`rate` calls a second for `seconds`, alternating between one candidate and two. searches:
    names with their tokens, each with `open_trials` open. Raises: grpc.RpcError.
    """
    tally = Tally()
    async with aio.insecure_channel(address) as channel:
        stub = worker_service_pb2_grpc.WorkerServiceStub(channel)
        drivers = [Driver(stub, *search, proposals, open_trials) for search in searches]
        for driver in drivers:
            await driver.begin()
        enders = [asyncio.create_task(driver.end_trials(tally)) for driver in drivers]
        calls = []
        start = time.perf_counter()
        for index, due in enumerate(_arrivals(rate, seconds)):
            await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
            driver = drivers[index % len(drivers)]
            calls.append(asyncio.create_task(_call(driver, 1 + index % 2, start + due, tally)))
        await asyncio.gather(*calls)
        for ender in enders:
            ender.cancel()
        await asyncio.gather(*enders, return_exceptions=True)
    return tally


async def _call(driver: Driver, count: int, due: float, tally: Tally) -> None:
    tally.late_seconds.append(time.perf_counter() - due)
    try:
        tally.states.extend(await driver.admit(count))
    except aio.AioRpcError as error:
        if error.code() != StatusCode.DEADLINE_EXCEEDED:
            raise
        tally.unanswered += 1
    tally.admit_seconds.append(time.perf_counter() - due)


def _arrivals(rate: float, seconds: float) -> Iterator[float]:
    """Seconds from the start; the same ones each time."""
    source, due = random.Random(0), 0.0
    while (due := due + source.expovariate(rate)) < seconds:
        yield due


def _running(trial: trial_pb2.Trial) -> worker_service_pb2.TrialEvent:
    attempt = trial.attempts + 1
    return worker_service_pb2.TrialEvent(number=trial.number, attempt=attempt, state=State.RUNNING)


def _ended(trial: trial_pb2.Trial) -> worker_service_pb2.TrialEvent:
    """As a trial that needed what was predicted and made a model like any other."""
    needed = trial.verdict.prediction.peak_memory_bytes
    usage = trial_pb2.Usage(
        peak_memory_bytes=needed, cpu_time=Duration(seconds=1), wall_time=Duration(seconds=1)
    )
    return worker_service_pb2.TrialEvent(
        number=trial.number,
        attempt=trial.attempts + 1,
        state=State.SUCCEEDED,
        score=0.5,
        fold_scores=[0.5] * 5,
        usage=usage,
    )
