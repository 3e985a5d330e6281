"""Waiting for a job on the cluster, ready to end it when the search is cancelled."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable

from workers.driver.control import Control, Directive
from workers.trial.job import Outcome


def wait_for_outcome(
    future: concurrent.futures.Future[Outcome], control: Control, cancel: Callable[[], None]
) -> Outcome:
    """Blocks until the job is over. `cancel` is called once, when the search is cancelled.

    Raises what a thread of the driver failed with.
    """

    def wake(_: object) -> None:
        with control.changed:
            control.changed.notify_all()

    def is_news() -> bool:
        return future.done() or control.mode == Directive.CANCEL

    future.add_done_callback(wake)
    control.wait_for(is_news)
    control.check()
    if not future.done():
        cancel()
        control.wait_for(future.done)
        control.check()
    return future.result()
