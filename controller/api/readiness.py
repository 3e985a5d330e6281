"""Says whether the controller can serve, and which of its components cannot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controller.domain.errors import HeadgateError

Check = Callable[[], str]
"""Looks at a component: an empty text when it is well, else one line that says why not. May block
for milliseconds; may raise a HeadgateError, whose message is then the line."""

OK = "ok"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What the components said: `ok`, or why not, by component."""

    components: Mapping[str, str]

    @property
    def is_ready(self) -> bool:
        """All components are well."""
        return all(state == OK for state in self.components.values())


class Readiness:
    """Asks the components. `checks`: by component, for example `store`, `ray`."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = dict(checks)

    async def report(self) -> Report:
        """Asks all of them, each in a thread. Never raises."""
        states = await asyncio.gather(
            *(asyncio.to_thread(_state, name, check) for name, check in self._checks.items())
        )
        return Report(dict(zip(self._checks, states, strict=True)))


def _state(name: str, check: Check) -> str:
    try:
        return check() or OK
    except HeadgateError as error:
        return error.message
    except Exception:
        log.exception("the check of %s failed", name)
        return "its check failed; see the controller's log"
