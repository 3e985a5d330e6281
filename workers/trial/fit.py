"""Scores one configuration: fits it once a fold on prepared data. Runs inside a sandbox child,
which has limited the threads of the libraries.

Memory beyond what the family's formula names: `workers.data.layout.fold_copy_bytes`. Validation
parts are read through the memory map. One fold's model and copy are gone before the next, and given
back to the system.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.data.prepared import Prepared, take
from workers.data.scoring import mean_scores, score
from workers.families.base import Family, FeatureInfo
from workers.families.registry import family
from workers.trial.job import FitJob, FitResult

_LATENCY_REPEATS = 9
"""One-row predictions timed, after one that warms up; the median of them counts."""

_LATENCY_SECONDS = 1.0
"""Timing stops early after this long: a slow model needs no nine answers to be known as slow."""


@dataclass(frozen=True)
class _FoldResult:
    metrics: dict[str, float]
    fit_seconds: float
    model: Any


def fit(job: FitJob) -> FitResult:
    """Fits and scores every fold. Blocks; reads only, apart from a temporary directory.

    A fold that does not define a metric is left out of it, in `fold_scores` too.

    Raises: ValueError for a configuration or metric that does not work on these data
    (UndefinedScore when no fold defines the metric), MemoryError.
    """
    data = Prepared.open(job.directory)
    chosen = family(job.family)
    features = data.features(job.cpus, job.gpus)
    scores, fit_seconds, model_bytes, predict_seconds = [], 0.0, 0, 0.0
    for fold in range(data.meta.shape.folds):
        result = _fit_fold(chosen, features, data, fold, job)
        scores.append(result.metrics)
        fit_seconds += result.fit_seconds
        if fold == 0:
            model_bytes = _saved_bytes(chosen, result.model)
            rows = take(data.X, data.validation(fold))
            predict_seconds = _one_row_seconds(chosen, result.model, rows)
        del result
        _give_back()
    metrics = mean_scores(scores, job.metric)
    return FitResult(
        score=metrics[job.metric],
        fold_scores=tuple(fold[job.metric] for fold in scores if not math.isnan(fold[job.metric])),
        metrics=metrics,
        model_bytes=model_bytes,
        predict_seconds=predict_seconds,
        fit_seconds=fit_seconds,
    )


def _fit_fold(
    chosen: Family, features: FeatureInfo, data: Prepared, fold: int, job: FitJob
) -> _FoldResult:
    pieces = data.training(fold)
    X, y = take(data.X, pieces), take(data.y, pieces)
    weights = None if data.weights is None else take(data.weights, pieces)
    started = time.perf_counter()
    model = chosen.fit(features, job.parameters, X, y, weights, job.seed)
    fit_seconds = time.perf_counter() - started
    del X, y, weights  # before prediction needs memory of its own
    held_out = data.validation(fold)
    prediction = np.asarray(chosen.predict(model, take(data.X, held_out)), dtype=np.float64)
    metrics = score(
        data.meta.task,
        take(data.y, held_out),
        prediction,
        None if data.weights is None else take(data.weights, held_out),
    )
    return _FoldResult(metrics, fit_seconds, model)


def _give_back() -> None:
    """Returns freed memory to the system. The threads of a fold leave it in their arenas, where
    those of the next do not find it: forests of small trees held up to twice their size.
    """
    with contextlib.suppress(OSError, AttributeError):  # not of glibc: nothing to trim
        ctypes.CDLL(None).malloc_trim(0)


def _saved_bytes(chosen: Family, model: Any) -> int:
    with tempfile.TemporaryDirectory(prefix="model-") as name:
        directory = Path(name)
        chosen.save(model, directory)
        return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _one_row_seconds(chosen: Family, model: Any, rows: npt.NDArray[np.float32]) -> float:
    row = np.array(rows[:1])
    chosen.predict(model, row)
    seconds: list[float] = []
    while len(seconds) < _LATENCY_REPEATS and sum(seconds) < _LATENCY_SECONDS:
        started = time.perf_counter()
        chosen.predict(model, row)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
