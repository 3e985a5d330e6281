"""Writing and loading a bundle, and predicting from raw columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pytest

import workers.bundle.load
import workers.bundle.write
from workers.bundle.load import InputError, LoadedBundle, load_bundle
from workers.bundle.write import WrittenBundle
from workers.data.cells import CellError
from workers.data.encode import EncoderError

Write = Callable[..., WrittenBundle]


@pytest.fixture
def loaded(bundle: tuple[Path, str]) -> LoadedBundle:
    path, digest = bundle
    return load_bundle(path, digest)


def test_the_manifest_describes_model_and_files(bundle: tuple[Path, str]) -> None:
    path, digest = bundle
    data = (path / "manifest.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() == digest
    manifest = json.loads(data)
    assert manifest["bundle_version"] == 1
    assert manifest["created_at"] == "2023-11-14T22:13:20.000+00:00"
    assert manifest["task"] == "binary"
    assert manifest["classes"] == ["no", "yes"]
    assert manifest["positive_class"] == "yes"
    assert manifest["description"]["score"] == 0.97
    assert manifest["inputs"][2] == {"name": "is_new", "kind": "BOOLEAN", "datatype": "BOOL"}
    assert {"python", "numpy", "scikit-learn"} <= manifest["libraries"].keys()
    there = {
        file.relative_to(path).as_posix(): {
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "bytes": file.stat().st_size,
        }
        for file in path.rglob("*")
        if file.is_file() and file.name != "manifest.json"
    }
    assert manifest["files"] == there
    assert {"README.md", "encoder.json", "model/estimator.joblib"} <= there.keys()


def test_the_readme_says_how_to_load(bundle: tuple[Path, str]) -> None:
    text = (bundle[0] / "README.md").read_text()
    assert "load_bundle(" in text
    assert "| colour | CATEGORY |" in text


def test_labels_and_probabilities(loaded: LoadedBundle) -> None:
    found = loaded.predict_columns(
        {"size": [1, "39", None], "colour": ["red"] * 3, "is_new": [True, "false", None]}
    )
    assert found.labels is not None
    assert found.probabilities is not None
    assert found.labels[:2] == ["no", "yes"]
    assert found.values is None
    assert found.probabilities.shape == (3, 2)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)


def test_values(write: Write, tmp_path: Path) -> None:
    write(str(tmp_path / "r"), task="regression")
    found = load_bundle(tmp_path / "r").predict_columns(
        {"size": [10.0], "colour": ["red"], "is_new": [False]}
    )
    assert found.labels is None
    assert found.probabilities is None
    assert found.values is not None
    assert found.values == pytest.approx([20], rel=0.2)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_no_rows_predict_nothing(write: Write, tmp_path: Path, task: str) -> None:
    write(str(tmp_path / "b"), task=task)
    found = load_bundle(tmp_path / "b").predict_columns({"size": [], "colour": [], "is_new": []})
    if task == "regression":
        assert found.values is not None
        assert found.values.shape == (0,)
    else:
        assert found.labels == []
        assert found.probabilities is not None
        assert found.probabilities.shape == (0, 2 if task == "binary" else 3)


@pytest.mark.parametrize(
    "columns",
    [
        {"size": np.array([1.0, 39.0]), "colour": np.array(["red", "red"]), "is_new": [0, 1]},
        {
            "size": np.array([1, 39], dtype=np.int32),
            "colour": np.array([b"red", b"red"], dtype=object),
            "is_new": np.array([False, True]),
        },
        {
            "size": pa.array([1.0, 39.0]),
            "colour": pa.array(["red", "red"]).dictionary_encode(),
            "is_new": pa.chunked_array([[False], [True]]),
        },
    ],
)
def test_every_container_gives_the_same(loaded: LoadedBundle, columns: Any) -> None:
    plain = {"size": [1.0, 39.0], "colour": ["red", "red"], "is_new": [False, True]}
    expected = loaded.predict_columns(plain).probabilities
    found = loaded.predict_columns(columns).probabilities
    assert expected is not None
    assert found is not None
    np.testing.assert_array_equal(found, expected)


def test_wrong_columns_are_named(loaded: LoadedBundle) -> None:
    with pytest.raises(InputError, match="missing columns: 'colour', 'is_new'") as missing:
        loaded.predict_columns({"size": [1]})
    assert missing.value.columns == ("colour", "is_new")
    with pytest.raises(InputError, match="unknown columns: 'x'; the model wants size, colour, is"):
        loaded.predict_columns({"size": [1], "colour": ["a"], "is_new": [1], "x": [1]})
    with pytest.raises(CellError, match="column 'size', row 1: 'big' is not a number"):
        loaded.predict_columns({"size": [1, "big"], "colour": ["a"] * 2, "is_new": [1, 1]})
    with pytest.raises(EncoderError, match="'colour' has 2 values, 'size' has 1"):
        loaded.predict_columns({"size": [1], "colour": ["a"] * 2, "is_new": [1]})


def test_writing_again_replaces_and_leaves_nothing_behind(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "models" / "bundle"
    write(str(path), task="regression")
    digest = write(path.as_uri(), task="binary").manifest_sha256
    assert load_bundle(path.as_uri(), digest).content.task == "binary"
    assert [entry.name for entry in path.parent.iterdir()] == ["bundle"]


def test_a_write_that_fails_keeps_the_old_bundle(
    write: Write, bundle: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest = bundle

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workers.bundle.write, "_flush", full)
    with pytest.raises(OSError, match="No space"):
        write(str(path), task="regression")
    assert load_bundle(path, digest).content.task == "binary"
    assert [entry.name for entry in path.parent.iterdir() if entry.name != "scratch"] == ["bundle"]


def test_an_object_store_gets_the_manifest_last(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "store"
    (root / "models/bundle").mkdir(parents=True)
    (root / "models/bundle/left-over").write_text("of an earlier try")
    # Not a local file system to the writer, as S3 is not.
    store = pyarrow.fs.SubTreeFileSystem(str(root), pyarrow.fs.LocalFileSystem())
    for module in (workers.bundle.write, workers.bundle.load):
        monkeypatch.setattr(module, "resolve", lambda uri: (store, "models/bundle"))
    digest = write(str(tmp_path / "ignored")).manifest_sha256
    ages = {
        file.stat().st_mtime_ns: file.name
        for file in (root / "models/bundle").rglob("*")
        if file.is_file()
    }
    assert ages[max(ages)] == "manifest.json"
    assert not (tmp_path / "ignored").exists()
    assert load_bundle("s3://bucket/models/bundle", digest).content.task == "binary"
