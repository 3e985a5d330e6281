"""Refitting the winner: the bundle predicts like the model, from raw columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from workers.bundle.load import load_bundle
from workers.data.prepared import Prepared
from workers.families.registry import FAMILIES, family
from workers.trial.job import PreparedData, RefitJob
from workers.trial.refit import refit

Prepare = Callable[..., PreparedData]
INPUTS = ("size", "colour", "seen")


def refit_job(data: PreparedData, name: str, uri: str) -> RefitJob:
    configuration = dict(family(name).portfolio(data.shape)[0])
    if "n_estimators" in configuration:
        configuration["n_estimators"] = 50
    return RefitJob("s", 4, name, configuration, 3, 1, data.directory, uri, {"score": 0.9})


def raw_columns(tmp_path: Path) -> dict[str, Any]:
    table = pq.read_table(tmp_path / "table.parquet", columns=list(INPUTS))
    columns: dict[str, Any] = table.to_pydict()
    columns["seen"] = [moment.isoformat() for moment in columns["seen"]]
    return columns


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_served_model_predicts_what_was_fitted(
    prepared: Prepare, tmp_path: Path, name: str, task: str
) -> None:
    data = prepared(task)
    uri = (tmp_path / "bundle").as_uri()
    result = refit(refit_job(data, name, uri))
    assert result.training_rows == data.shape.rows
    assert result.inputs == (
        ("size", "NUMBER", "FP64"),
        ("colour", "CATEGORY", "BYTES"),
        ("seen", "DATE", "BYTES"),
    )
    loaded = load_bundle(uri, result.manifest_sha256)
    files = [path for path in (tmp_path / "bundle").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) == result.bundle_bytes
    opened = Prepared.open(data.directory)
    in_table_order = np.argsort(np.load(opened.directory / "rows.npy"))
    wanted = loaded.family.predict(loaded.model, np.array(opened.X[in_table_order]))
    columns = raw_columns(tmp_path)
    whole = loaded.predict_columns(columns)
    single = loaded.predict_columns({key: cells[5:6] for key, cells in columns.items()})
    if task == "regression":
        assert whole.labels is None
        assert whole.values is not None
        assert single.values is not None
        np.testing.assert_allclose(whole.values, wanted, rtol=1e-6)
        np.testing.assert_allclose(single.values, wanted[5:6], rtol=1e-6)
        return
    assert whole.probabilities is not None
    assert whole.labels is not None
    np.testing.assert_allclose(whole.probabilities, wanted, rtol=1e-6)
    np.testing.assert_allclose(whole.probabilities.sum(axis=1), 1, rtol=1e-5)
    codes = [loaded.content.classes.index(label) for label in whole.labels]
    assert np.mean(np.array(codes) == opened.y[in_table_order]) > 0.7
    assert single.labels == whole.labels[5:6]


def test_a_second_refit_replaces_the_first(prepared: Prepare, tmp_path: Path) -> None:
    data = prepared("binary")
    job = refit_job(data, "linear", str(tmp_path / "models" / "bundle"))
    refit(job)
    second = refit(job)
    loaded = load_bundle(job.bundle_uri, second.manifest_sha256)
    assert loaded.content.description == {"score": 0.9}
    assert loaded.content.positive_class == "yes"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["bundle"]
