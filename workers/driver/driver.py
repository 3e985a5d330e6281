"""A search's driver: takes the search over, has a session do the work, cleans up after it.

What an earlier driver left in the spool goes to the controller before its log is replayed. The end
is told before anything is cleaned up, so a driver that dies in between leaves nothing half done.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from workers.driver.assignment import Assignment
from workers.driver.cluster import Cluster
from workers.driver.control import Control, Directive
from workers.driver.controller_client import ControllerClient, SearchOver
from workers.driver.heartbeat import beat
from workers.driver.reporter import Reporter
from workers.driver.session import Session
from workers.driver.spool import Spool
from workers.driver.task import AgentFinder
from workers.driver.tune_environment import configure_tune

log = logging.getLogger("headgate.driver")

SUPERSEDED = "SESSION_SUPERSEDED"


class Driver:
    """Runs one search. client, control: this driver's own; get_agent: see `Cluster`."""

    def __init__(
        self,
        client: ControllerClient,
        control: Control,
        get_agent: AgentFinder,
        work_dir: Path,
    ) -> None:
        self._client = client
        self._control = control
        self._cluster = Cluster(get_agent, str(work_dir))
        self._get_agent = get_agent
        self._work_dir = work_dir

    def run(self, search: str, driver_id: str) -> None:
        """Blocks until the search has ended.

        Raises: SearchOver when it is another's or has ended; ControllerRefused; RayError.
        """
        opened = self._client.open_session(search, driver_id)
        self._control.start(opened.search.spec, opened.directive)
        assignment = Assignment(opened, self._work_dir)
        self._control.spawn("heartbeat", lambda: beat(self._client, self._control))
        spool = Spool(assignment.directory / "spool" / "events.jsonl")
        try:
            self._work(assignment, Reporter(spool, self._client, self._control))
        except SearchOver as over:
            # The next driver ends what this one began; an ended search has no next driver.
            if over.reason != SUPERSEDED:
                self._cluster.release(search)
            raise
        finally:
            spool.close()
        self._cluster.release(search)
        for part in ("tune", "spool"):
            shutil.rmtree(assignment.directory / part, ignore_errors=True)

    def _work(self, assignment: Assignment, reporter: Reporter) -> None:
        reporter.send_all()
        self._control.spawn("reporter", reporter.run)
        configure_tune(assignment.slots)
        self._control.phase = "connecting to the cluster"
        self._cluster.connect()
        self._cluster.cancel(assignment.name)
        if self._control.mode == Directive.CANCEL:
            self._client.finish(is_cancelled=True)
            return
        session = Session(
            assignment, self._client, self._control, self._cluster, reporter, self._get_agent
        )
        session.run()
