"""A reconcile loop: runs its step for ever, and counts how that goes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from controller.domain.errors import HeadgateError
from controller.ports.metrics import Metrics

log = logging.getLogger("headgate")

Step = Callable[[], Awaitable[bool]]
"""One round. True when nothing failed; a failure that it does not raise it has counted itself."""


class Loop:
    """what: its label in metrics. seconds: between rounds. changed: wakes it at once."""

    def __init__(
        self,
        what: str,
        step: Step,
        metrics: Metrics,
        seconds: float,
        changed: asyncio.Event | None = None,
    ) -> None:
        self._what = what
        self._step = step
        self._metrics = metrics
        self._seconds = seconds
        self._changed = changed or asyncio.Event()

    async def run(self) -> None:
        """Runs until it is cancelled: a round at once after a change, else every `seconds`."""
        while True:
            await self.round()
            # Not `wait_for`, which in Python 3.11 loses a cancellation that comes with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._changed.wait()
            self._changed.clear()

    async def round(self) -> None:
        """One round. Raises nothing: a failure is logged and counted."""
        began = time.monotonic()
        try:
            is_well = await self._step()
        except HeadgateError as error:
            log.warning("reconciling %s: %s", self._what, error.message)
            self._metrics.reconcile_failed(self._what)
        except Exception:
            log.exception("reconciling %s failed", self._what)
            self._metrics.reconcile_failed(self._what)
        else:
            if is_well:
                self._metrics.reconciled(self._what, time.monotonic() - began)
