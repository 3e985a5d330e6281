"""The probe on real prepared data: what it says is what trials then grow, within its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from workers.families.configurations import variation
from workers.families.growth import PROBED
from workers.families.registry import family
from workers.trial.fit import fit
from workers.trial.job import FitJob, PreparedData, ProbeJob
from workers.trial.probe import probe

Prepare = Callable[..., PreparedData]
FORESTS = ("random_forest", "extra_trees")


def job(data: PreparedData, cpu_seconds: float = 30.0) -> ProbeJob:
    return ProbeJob("s", FORESTS, 1, cpu_seconds, data.directory)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_point_of_every_family_is_seen(prepared: Prepare, task: str) -> None:
    growths = probe(job(prepared(task)))
    assert len(growths) == len(PROBED) * len(FORESTS)
    assert {each.family for each in growths} == set(FORESTS)
    assert all(0 < each.nodes_per_row <= 2 and 0 < each.share <= 1 for each in growths)
    for name in FORESTS:
        own = [each for each in growths if each.family == name]
        assert own[0].nodes_per_row > own[-1].nodes_per_row, "larger leaves, smaller trees"


@pytest.mark.parametrize("name", FORESTS)
def test_predictions_of_trials_are_near_after_a_probe(prepared: Prepare, name: str) -> None:
    data = prepared("binary")
    told = replace(data.shape, growths=probe(job(data)))
    chosen = family(name)
    for changes in ({"min_samples_leaf": 1}, {"min_samples_leaf": 3, "max_features": 0.5}):
        parameters = variation(chosen.parameters, **changes)
        result = fit(FitJob("s", 0, 1, name, parameters, 3, "roc_auc", 1, data.directory))
        predicted = chosen.cost(told, parameters, 1).model_bytes
        assert predicted == pytest.approx(result.model_bytes, rel=0.25)


def test_it_grows_nothing_that_would_take_too_long(prepared: Prepare) -> None:
    assert probe(job(prepared("binary"), cpu_seconds=0.0)) == ()
