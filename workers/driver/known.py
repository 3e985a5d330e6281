"""What is known of a trial, as the sampler wants it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """What is known of a trial. Both None: it runs. violation: above 0, how far it missed fitting:
    the natural logarithm of demand over limit.
    """

    score: float | None = None
    violation: float | None = None
