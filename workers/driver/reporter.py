"""Brings trial events to the controller: to the disk first, then over the wire, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headgate.v1 import trial_pb2, worker_service_pb2
from workers.driver.control import Control
from workers.driver.controller_client import ControllerClient
from workers.driver.spool import Spool

BATCH_EVENTS = 64
"""Events in one call; each is at most 33 kB, so a call stays below 4 MiB."""


Listener = Callable[[Sequence[worker_service_pb2.TrialEvent], Sequence[trial_pb2.Trial]], None]
"""Told of events that the controller has taken, and of their trials as they are now."""


class Reporter:
    """`put` from any thread; `run` in a thread of its own."""

    def __init__(self, spool: Spool, client: ControllerClient, control: Control) -> None:
        self._spool = spool
        self._client = client
        self._control = control
        self._listener: Listener | None = None

    def listen(self, listener: Listener) -> None:
        """Has `listener` called in the thread of `run`, before the directive is applied."""
        self._listener = listener

    def put(self, event: worker_service_pb2.TrialEvent) -> None:
        """Returns once the event is on the disk. Raises: OSError."""
        self._spool.append(event)
        with self._control.changed:
            self._control.changed.notify_all()

    def send_all(self) -> None:
        """Returns once the controller has all events. Blocks while it is away.

        Raises: SearchOver, ControllerRefused.
        """
        while events := self._spool.peek(BATCH_EVENTS):
            response = self._client.report(events)
            self._spool.taken(len(events))
            if self._listener is not None:
                self._listener(events, response.trials)
            self._control.apply(response.directive)

    def run(self) -> None:
        """Sends whatever comes; never returns. Raises as `send_all`."""
        while True:
            self._control.wait_for(lambda: len(self._spool) > 0)
            self._control.check()
            self.send_all()

    def flush(self) -> None:
        """Blocks until the thread of `run` has brought everything to the controller."""
        self._control.wait_for(lambda: len(self._spool) == 0)
        self._control.check()
