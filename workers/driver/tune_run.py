"""One run of Ray Tune: from the first admitted trial to a pause or the end of the search."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from ray import tune

from workers.driver.board import Board
from workers.driver.control import Control
from workers.driver.results import Results
from workers.driver.searcher import AdmittedSearcher, StartCallback, WithdrawingScheduler
from workers.driver.task import FitTask, Task
from workers.driver.trainable import TrialActor


def _quiet() -> None:
    """Silences Tune's loggers, which were set up by its import."""
    for name in ("ray.tune", "ray.train", "ray.air"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def run_tune(
    name: str,
    storage: Path,
    board: Board,
    results: Results,
    control: Control,
    pack: Callable[[Task], FitTask],
) -> None:
    """Returns when the mode is no longer RUN or nothing is left to run, and nothing runs."""
    _quiet()
    # Not `Tuner`, which pickles its searcher: ours is this driver's live state.
    tune.run(
        TrialActor,
        name=name,
        storage_path=str(storage),
        search_alg=AdmittedSearcher(board, results, control, pack),
        scheduler=WithdrawingScheduler(control, board),
        num_samples=-1,
        reuse_actors=True,
        raise_on_failed_trial=False,
        verbose=0,
        callbacks=[StartCallback(board, results)],
        trial_name_creator=_trial_name,
        trial_dirname_creator=_trial_name,
    )


def _trial_name(trial: object) -> str:
    return f"trial_{getattr(trial, 'config', {}).get('task', '')}"
