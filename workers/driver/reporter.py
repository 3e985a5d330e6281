"""Brings trial events to the controller: to the disk first, then over the wire, in order."""

from __future__ import annotations

from headgate.v1 import worker_service_pb2
from workers.driver.control import Control
from workers.driver.controller_client import ControllerClient
from workers.driver.spool import Spool

BATCH_EVENTS = 64
"""Events in one call; each is at most 33 kB, so a call stays below 4 MiB."""


class Reporter:
    """`put` from any thread; `run` in a thread of its own."""

    def __init__(self, spool: Spool, client: ControllerClient, control: Control) -> None:
        self._spool = spool
        self._client = client
        self._control = control

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
            directive = self._client.report(events)
            self._spool.taken(len(events))
            self._control.apply(directive)

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
