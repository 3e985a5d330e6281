"""Tune's settings, which are environment variables that it reads when it is imported."""

from __future__ import annotations

import os


def configure_tune(slots: int) -> None:
    """Sets Tune's environment; to be called before it is imported. slots: see `Board`."""
    os.environ.update(
        {
            # So many trials may wait for a placement group; one makes sizes wait for each other.
            "TUNE_MAX_PENDING_TRIALS_PG": str(slots + 1),
            # The trial log is the truth: no result files, no snapshots, no handlers, no output.
            "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
            "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
            "TUNE_DISABLE_SIGINT_HANDLER": "1",
            "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
            "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "1000000",
            "RAY_AIR_NEW_OUTPUT": "0",
        }
    )
