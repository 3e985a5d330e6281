"""The line to the controller: patient when it is away, final when it refuses."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from headgate.v1 import model_pb2, worker_service_pb2
from tests.unit.driver.fake_controller import SEARCH, TOKEN, FakeController, serving
from workers.driver.control import Control, Directive
from workers.driver.controller_client import ControllerClient, SearchOver
from workers.driver.heartbeat import beat
from workers.driver.outage import Outage

TrialEvent = worker_service_pb2.TrialEvent


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def fake() -> FakeController:
    return FakeController()


@pytest.fixture
def server(fake: FakeController) -> Iterator[str]:
    with serving(fake) as address:
        yield address


def test_a_wrong_token_and_a_newer_session_are_final(fake: FakeController, server: str) -> None:
    stranger = ControllerClient(server, "guessed")
    with pytest.raises(SearchOver, match="UNAUTHENTICATED"):
        stranger.open_session(SEARCH, "d0")
    stranger.close()
    old, new = ControllerClient(server, TOKEN), ControllerClient(server, TOKEN)
    old.open_session(SEARCH, "d1")
    new.open_session(SEARCH, "d2")
    with pytest.raises(SearchOver) as over:
        old.heartbeat(1, "working")
    assert over.value.reason == "SESSION_SUPERSEDED"
    old.close()
    new.close()


def test_a_controller_that_comes_back_gets_what_waited_and_the_seconds(
    fake: FakeController,
) -> None:
    with serving(fake) as address:
        client = ControllerClient(address, TOKEN)
        client.open_session(SEARCH, "d1")
        fake._decide(worker_service_pb2.Candidate(candidate_id="c0"))
    reported = threading.Thread(
        target=client.report, args=([TrialEvent(number=0, attempt=1)],), daemon=True
    )
    reported.start()
    reported.join(timeout=0.5)
    assert reported.is_alive()
    with serving(fake, address):
        reported.join(timeout=20)
        assert not reported.is_alive()
        client.heartbeat(1, "back")
    assert len(fake.events) == 1
    assert 0.3 < fake.unreachable_seconds < 20
    client.close()


def test_admit_tells_of_an_outage_first(fake: FakeController, server: str) -> None:
    client = ControllerClient(server, TOKEN)
    client.open_session(SEARCH, "d1")
    client._outage.give_back(30.0)
    client.admit([worker_service_pb2.Candidate(candidate_id="c0")], 1)
    assert fake.unreachable_seconds == pytest.approx(30.0)
    client.close()


def test_a_closed_client_does_not_wait_for_ever() -> None:
    client = ControllerClient("127.0.0.1:1", TOKEN)
    closing = threading.Timer(0.2, client.close)
    closing.start()
    with pytest.raises(SearchOver):
        client.open_session(SEARCH, "d1")
    closing.join()


def test_finish_sends_exactly_one_outcome(fake: FakeController, server: str) -> None:
    client = ControllerClient(server, TOKEN)
    client.open_session(SEARCH, "d1")
    for kwargs, outcome in (
        ({"model": model_pb2.Model(family="knn")}, "model"),
        ({"error": "nothing fits"}, "error"),
        ({"is_cancelled": True}, "cancelled"),
    ):
        client.finish(**kwargs)
        assert fake.finished is not None
        assert fake.finished.WhichOneof("outcome") == outcome
    client.close()


def test_the_heartbeat_brings_orders_and_tells_phases(fake: FakeController, server: str) -> None:
    client, control = ControllerClient(server, TOKEN), Control()
    client.open_session(SEARCH, "d1")
    beating = control.spawn("heartbeat", lambda: beat(client, control))
    control.phase = "preparing"
    fake.wait_for(lambda: "preparing" in fake.phases)
    fake.order(Directive.CANCEL)
    control.phase = "searching"
    assert control.wait_for(lambda: control.mode == Directive.CANCEL, timeout=10)
    client.close()
    beating.join(timeout=10)
    with pytest.raises(SearchOver):
        control.check()


def test_outage_seconds_are_told_once() -> None:
    clock = Clock()
    outage = Outage(clock, has_work=lambda: True)
    outage.failed(started=clock.now)
    clock.now += 10
    assert outage.is_noteworthy
    first, second = outage.take(), outage.take()
    assert (first, second) == (10.0, 0.0)
    outage.give_back(first)
    clock.now += 5
    assert outage.take() == 15.0
    outage.succeeded()
    # Another thread's call began in the outage and failed after its end.
    clock.now += 1
    outage.failed(started=clock.now - 8)
    assert outage.take() == pytest.approx(1.0)


def test_time_without_work_is_not_an_outage() -> None:
    clock = Clock()
    outage = Outage(clock, has_work=lambda: False)
    outage.failed(started=clock.now)
    clock.now += 10
    assert outage.take() == 0.0


def test_orders_to_end_are_not_taken_back_and_specs_do_not_grow_old() -> None:
    control = Control()
    directive = Directive(mode=Directive.PAUSE, spec_revision=3)
    directive.spec.seed = 3
    control.apply(directive)
    assert control.mode == Directive.PAUSE
    late = Directive(mode=Directive.FINISH, spec_revision=2)
    late.spec.seed = 2
    control.apply(late)
    control.apply(Directive(mode=Directive.RUN))
    assert control.mode == Directive.FINISH
    assert control.spec.seed == 3
    control.apply(Directive(mode=Directive.CANCEL))
    control.apply(Directive(mode=Directive.FINISH))
    assert control.mode == Directive.CANCEL


def test_remaining_time_runs_down() -> None:
    clock = Clock()
    control = Control(clock)
    assert control.remaining_seconds is None
    directive = Directive(mode=Directive.RUN)
    directive.remaining_time.FromSeconds(30)
    control.apply(directive)
    clock.now += 10
    assert control.remaining_seconds == pytest.approx(20.0)
    clock.now += 30
    assert control.remaining_seconds == 0.0
