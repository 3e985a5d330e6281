"""`python -m workers.driver`: the entrypoint of a search's Ray job.

Environment: HEADGATE_CONTROLLER (HOST:PORT), HEADGATE_SEARCH (resource name),
HEADGATE_SEARCH_TOKEN, HEADGATE_WORK_DIR (Headgate's directory on every node; empty: `headgate` in
the system's directory for temporary files). Exit codes: 0 when
the search has ended or is another driver's, 1 for an error, 143 after SIGTERM. Everything on
standard output is shown by `headgate logs`.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import uuid
from pathlib import Path
from types import FrameType

from workers.driver.control import Control, Directive
from workers.driver.controller_client import ControllerClient, ControllerRefused, SearchOver
from workers.driver.driver import Driver
from workers.sandbox.agent import get_agent

TERMINATED = 128 + signal.SIGTERM

log = logging.getLogger("headgate.driver")


def main() -> int:
    """Runs one search to its end; gives the exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    _log_to_stdout()
    control = Control()
    client = ControllerClient(
        os.environ["HEADGATE_CONTROLLER"],
        os.environ["HEADGATE_SEARCH_TOKEN"],
        has_work=lambda: control.mode != Directive.PAUSE,
    )
    driver = Driver(client, control, get_agent, _work_dir())
    try:
        driver.run(os.environ["HEADGATE_SEARCH"], driver_id=uuid.uuid4().hex)
    except SearchOver as over:
        log.info("this driver ends: %s", over)
    except ControllerRefused:
        log.exception("the controller refuses; the search goes on with a new driver")
        return 1
    finally:
        client.close()
    return 0


def _work_dir() -> Path:
    given = os.environ.get("HEADGATE_WORK_DIR", "")
    return Path(given) if given else Path(tempfile.gettempdir()) / "headgate"


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    """At once: results are on the disk, the search goes on with a new driver."""
    os._exit(TERMINATED)


def _log_to_stdout() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("headgate")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


if __name__ == "__main__":
    sys.exit(main())
