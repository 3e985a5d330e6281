"""Another attempt for a trial that hit its memory limit: how much it gets, or that it ends. Pure.

    next = max(1.5 x reserved, 1.2 x measured peak + 100 MB, calibrated bound)

cut at what a trial may get. The second retry gets all of that. A measured peak is only "at least":
the fit was ended on its way up. Laws: at most `MAX_MEMORY_RETRIES`; never the same size again,
but once for a fit that died near its limit without being ended by us (`suspect`): it may have been
the backstop on virtual memory, which the retry does without.
"""

from __future__ import annotations

from controller.domain.records import FailureKind, Trial, TrialEvent

MAX_MEMORY_RETRIES = 2
SUSPECT = "suspect"
"""`TrialFailure.evidence` of a fit that died as one does whose allocation was refused."""
_GROWTH, _PEAK_GROWTH, _PEAK_EXTRA_BYTES = 1.5, 1.2, 100_000_000
_STEP_BYTES = 64 << 20


def is_out_of_memory(event: TrialEvent) -> bool:
    """The attempt ended because its memory was used up."""
    return event.failure is not None and event.failure.kind is FailureKind.MEMORY_EXCEEDED


def next_reservation_bytes(trial: Trial, event: TrialEvent, cap_bytes: int | None) -> int | None:
    """Memory of the next attempt; None when there is none.

    cap_bytes: the most that a trial of this search may get, None when not known.
    """
    held = trial.verdict.reservation
    earlier = [each.failure for each in trial.history if each.failure is not None]
    retries = sum(failure.kind is FailureKind.MEMORY_EXCEEDED for failure in earlier)
    if held is None or retries >= MAX_MEMORY_RETRIES or cap_bytes is None:
        return None
    peak = event.usage.peak_memory_bytes if event.usage is not None else 0
    wanted = max(
        int(_GROWTH * held.memory_bytes),
        int(_PEAK_GROWTH * peak) + _PEAK_EXTRA_BYTES,
        trial.verdict.bound_bytes,
    )
    is_last = retries == MAX_MEMORY_RETRIES - 1
    granted = cap_bytes if is_last else min(cap_bytes, -(-wanted // _STEP_BYTES) * _STEP_BYTES)
    if granted > held.memory_bytes:
        return granted
    is_suspect = event.failure is not None and event.failure.evidence == SUSPECT
    was_suspect = any(failure.evidence == SUSPECT for failure in earlier)
    return held.memory_bytes if is_suspect and not was_suspect else None
