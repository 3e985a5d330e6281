"""Grows a few trees to see how large they get on the prepared data. Runs inside a sandbox child.

Two trees a point of `workers.families.growth.PROBED`, on the rows of the first fold, which are read
through the memory map. It stops before a point that would take it over its CPU time: on very large
tables it may see nothing, and predictions stay what they were.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from workers.data.prepared import Prepared, take
from workers.families.base import Family, FeatureInfo, Growth, Value
from workers.families.configurations import variation
from workers.families.growth import PROBED
from workers.families.registry import family
from workers.trial.job import ProbeJob

TREES = 2


def probe(job: ProbeJob) -> tuple[Growth, ...]:
    """What was seen before the time was up, point by point, the families in turn."""
    data = Prepared.open(job.directory)
    pieces = data.training(0)
    X, y = take(data.X, pieces), take(data.y, pieces)
    features = data.features(1)
    deadline = time.process_time() + job.cpu_seconds
    seen: list[Growth] = []
    for chosen, parameters in _points(job.families):
        # The shape tells the time to a factor of two or so; a tree of a point costs as any other.
        expected = chosen.cost(data.meta.shape, parameters, 1).cpu_seconds / data.meta.shape.folds
        if time.process_time() + expected > deadline:
            break
        seen.append(_grow(chosen, features, parameters, X, y, job.seed))
    return tuple(seen)


def _points(names: tuple[str, ...]) -> Iterator[tuple[Family, dict[str, Value]]]:
    for leaf, share in PROBED:
        for name in names:
            chosen = family(name)
            yield (
                chosen,
                variation(
                    chosen.parameters, n_estimators=TREES, min_samples_leaf=leaf, max_features=share
                ),
            )


def _grow(
    chosen: Family,
    features: FeatureInfo,
    parameters: dict[str, Value],
    X: npt.NDArray[np.float32],
    y: npt.NDArray[np.generic],
    seed: int,
) -> Growth:
    model = chosen.fit(features, parameters, X, y, None, seed)
    nodes = [tree.tree_.node_count for tree in model.estimator.estimators_]
    share = parameters["max_features"]
    is_root = share == "sqrt"
    return Growth(
        chosen.name,
        int(parameters["min_samples_leaf"] or 1),
        X.shape[1] ** -0.5 if is_root else float(share or 0),
        sum(nodes) / len(nodes) / len(y),
    )
