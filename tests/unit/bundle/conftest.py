"""A tiny bundle: logistic regression on a number, a category and a boolean."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from workers.bundle.manifest import BundleContent, inputs_of
from workers.bundle.write import WrittenBundle, write_bundle
from workers.data.encode import Encoder, categorical_levels
from workers.data.layout import ColumnInfo
from workers.families.base import FeatureInfo
from workers.families.registry import family

COLUMNS = (
    ColumnInfo("size", "NUMBER", 40, has_missing=True),
    ColumnInfo("colour", "CATEGORY", 2, has_missing=False),
    ColumnInfo("is_new", "BOOLEAN", 2, has_missing=False),
)

Write = Callable[..., WrittenBundle]


def write_sample(uri: str, *, task: str = "binary") -> WrittenBundle:
    """Fits on 40 rows and writes the bundle; the same bytes but for the library's pickle."""
    rows = np.arange(40)
    table = pa.table(
        {
            "size": pa.array([None if row == 3 else float(row) for row in rows.tolist()]),
            "colour": ["red" if row % 4 else "blue" for row in rows.tolist()],
            "is_new": pa.array((rows % 3 == 0).tolist()),
        }
    )
    classes = {"binary": ("no", "yes"), "multiclass": ("a", "b", "c"), "regression": ()}[task]
    y = {
        "binary": (rows > 20).astype(np.int32),
        "multiclass": (rows // 14).astype(np.int32),
        "regression": rows * 2.0,
    }[task]
    encoder = Encoder.fit(table, COLUMNS)
    features = FeatureInfo(categorical_levels(encoder.features), task, len(classes), 1)
    linear = family("linear")
    parameters = {parameter.name: parameter.default for parameter in linear.parameters}
    model: Any = linear.fit(features, parameters, encoder.transform(table), y, None, 0)
    content = BundleContent(
        task=task,
        classes=classes,
        target_column="bought",
        family="linear",
        parameters=parameters,
        seed=0,
        training_rows=40,
        inputs=inputs_of(COLUMNS),
        created_at=1_700_000_000.0,
        description={"search": "namespaces/default/searches/sample", "score": 0.97},
    )
    scratch = Path(uri.removeprefix("file://")).parent / "scratch"
    scratch.mkdir(parents=True)
    linear.save(model, scratch)
    written = write_bundle(uri, content=content, encoder=encoder, model_directory=scratch)
    shutil.rmtree(scratch)
    return written


@pytest.fixture
def write() -> Write:
    """Writes the sample bundle to a URI."""
    return write_sample


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Written once; tests get copies."""
    path = tmp_path_factory.mktemp("sound") / "bundle"
    return path, write_sample(str(path)).manifest_sha256


@pytest.fixture
def bundle(tmp_path: Path, sound: tuple[Path, str]) -> tuple[Path, str]:
    """The directory of a sound bundle, and its manifest's SHA-256."""
    path, digest = sound
    return shutil.copytree(path, tmp_path / "bundle"), digest
