"""The settings of the services. Durations are seconds, sizes bytes."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.calibration import DEFAULT_COVERAGE


@dataclass(frozen=True)
class ServiceSettings:
    """How searches are admitted, run and kept; every field has a default that works."""

    coverage: float = DEFAULT_COVERAGE
    """The share of trials that are promised to stay below the memory bound that is compared with
    limits and reserved. From 0.5 to 0.999, default 0.98: higher kills fewer, reserves more."""
    max_running_searches: int = 2
    """Searches that have a driver at once, paused ones not counted; the others wait PENDING. At
    least 1."""
    driver_memory_bytes: int = 256 << 20
    """Memory that Ray reserves for a search's driver, in bytes; measured 250 MiB. 0: none."""
    python: str = "python"
    """The interpreter that runs drivers on the cluster."""
    advertise: str = ""
    """`HOST:PORT` under which drivers reach this controller."""
    work_dir: str = ""
    """Directory for the working files of searches on the nodes; empty leaves it to the driver."""
    max_driver_failures: int = 3
    """A search FAILS after so many drivers in a row died without a trial ending. At least 1."""
    driver_grace_seconds: float = 20.0
    """How long a driver may take to end when its search is cancelled or has ended, in seconds."""
    heartbeat_timeout_seconds: float = 120.0
    """A driver that runs but says nothing for so long is ended and replaced, in seconds."""
    log_bytes: int = 1 << 20
    """Most bytes kept of a search's driver log; the end is kept."""
    retention_seconds: float | None = None
    """Ended searches are deleted so long after their end; None keeps them for ever."""
    request_memory_seconds: float = 7 * 86_400.0
    """How long a `request_id` is remembered, in seconds."""
    driver_environment: tuple[tuple[str, str], ...] = ()
    """Further environment variables of drivers, as (name, value)."""
