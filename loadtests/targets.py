"""Prints figures beside the targets they are held to, and the machine's load beside both."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A figure that is held to something. seen, wanted: as they are printed."""

    what: str
    seen: str
    wanted: str
    is_met: bool

    @classmethod
    def at_most(
        cls, what: str, seen: float, most: float, unit: str = "", digits: int = 4
    ) -> Target:
        """Met by `most` and less; never by NaN."""
        return cls(what, _told(seen, unit, digits), f"<= {_told(most, unit, digits)}", seen <= most)

    @classmethod
    def at_least(
        cls, what: str, seen: float, least: float, unit: str = "", digits: int = 4
    ) -> Target:
        """Met by `least` and more; never by NaN."""
        is_met = seen >= least
        return cls(what, _told(seen, unit, digits), f">= {_told(least, unit, digits)}", is_met)


def judged(targets: Sequence[Target]) -> bool:
    """Prints the table; whether every target is met."""
    width = max((len(target.what) for target in targets), default=0)
    for target in targets:
        mark = "met" if target.is_met else "MISSED"
        print(f"{target.what:{width}}  {target.seen:>14}  {target.wanted:>14}  {mark}")
    return all(target.is_met for target in targets)


def say_load(when: str) -> None:
    """Prints the machine's load: figures of time mean little without it."""
    one, five, _ = os.getloadavg()
    print(f"load average {when}: {one:.2f}, {five:.2f} on {os.cpu_count()} cores", flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed. Raises: ValueError without values."""
    if not values:
        raise ValueError("there is no percentile of nothing")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _told(value: float, unit: str, digits: int) -> str:
    return f"{value:.{digits}g} {unit}".rstrip()
