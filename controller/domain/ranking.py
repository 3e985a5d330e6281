"""Which trial is the best: the metric's direction, the limits a model must hold to, early first."""

from __future__ import annotations

import math
from collections.abc import Iterable

from controller.domain.records import Limits, Trial
from controller.domain.states import TrialState


def is_better(score: float, best: float | None, is_maximized: bool) -> bool:
    """True when `score` beats `best`; a tie keeps the earlier one. A NaN never wins."""
    if math.isnan(score):
        return False
    if best is None:
        return True
    return score > best if is_maximized else score < best


def is_eligible(trial: Trial, limits: Limits) -> bool:
    """True when the trial has a finite score and what was measured holds to the model's limits."""
    if trial.state is not TrialState.SUCCEEDED or trial.score is None:
        return False
    if not math.isfinite(trial.score):
        return False
    if trial.usage is None:
        return True
    model_bytes, predict_seconds = trial.usage.model_bytes, trial.usage.predict_seconds
    is_small = limits.max_model_bytes is None or model_bytes <= limits.max_model_bytes
    is_quick = limits.max_predict_seconds is None or predict_seconds <= limits.max_predict_seconds
    return is_small and is_quick


def best_of(trials: Iterable[Trial], limits: Limits, is_maximized: bool) -> Trial | None:
    """The best eligible trial, the lowest number among equals; None when none is eligible."""
    best: Trial | None = None
    for trial in sorted(trials, key=lambda t: t.number):
        if not is_eligible(trial, limits) or trial.score is None:
            continue
        if is_better(trial.score, best.score if best else None, is_maximized):
            best = trial
    return best
