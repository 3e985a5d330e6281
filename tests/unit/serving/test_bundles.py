"""A bundle behind the gateway: written, loaded by its hash, asked by the protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from workers.bundle.manifest import BundleContent, BundleError, inputs_of
from workers.bundle.write import WrittenBundle, write_bundle
from workers.data.encode import Encoder
from workers.data.layout import ColumnInfo
from workers.serving import protocol
from workers.serving.bundles import BundleModel, load_servable

COLUMNS = (ColumnInfo("age", "NUMBER", 3, True), ColumnInfo("city", "CATEGORY", 2, False))


class StubFamily:
    """Looks at the first feature alone; nothing to load."""

    def __init__(self, is_classifier: bool) -> None:
        self.is_classifier = is_classifier

    def load(self, directory: Path) -> None:
        assert (directory / "weights").read_text() == "w"

    def predict(self, _model: None, X: Any) -> Any:
        ages = np.nan_to_num(X[:, 0].astype(float))
        return np.stack([1 - ages, ages], axis=1) if self.is_classifier else ages


def written(directory: Path, task: str) -> WrittenBundle:
    (directory / "model").mkdir(parents=True)
    (directory / "model" / "weights").write_text("w")
    table = pa.table({"age": [0.25, 1.0, None], "city": ["Ulm", "Bonn", "Ulm"]})
    encoder = Encoder.fit(table, COLUMNS)
    content = BundleContent(
        task=task,
        classes=() if task == "regression" else ("no", "yes"),
        target_column="y",
        family="stub",
        parameters={},
        seed=1,
        training_rows=3,
        inputs=inputs_of(COLUMNS),
        created_at=1.0,
    )
    return write_bundle(
        str(directory / "bundle"),
        content=content,
        encoder=encoder,
        model_directory=directory / "model",
    )


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def load(task: str = "binary") -> BundleModel:
        stub = StubFamily(task != "regression")
        monkeypatch.setattr("workers.bundle.load.family", lambda _name: stub)
        return load_servable(str(tmp_path / "bundle"), written(tmp_path, task).manifest_sha256)

    return load


def ask(model: BundleModel, ages: list[Any], datatype: str = "FP64") -> dict[str, Any]:
    inputs = [
        {"name": "age", "datatype": datatype, "shape": [len(ages)], "data": ages},
        {"name": "city", "datatype": "BYTES", "shape": [len(ages)], "data": ["Ulm"] * len(ages)},
    ]
    request = protocol.parse_request(json.dumps({"inputs": inputs}).encode(), model)
    answer = model.predict(request.columns)
    return protocol.format_response("m", 1, request, model, answer)


def test_a_classifier_answers_by_the_protocol(load: Any) -> None:
    prediction, probabilities = ask(load(), [0.25, 1.0, None])["outputs"]
    assert prediction["data"] == ["no", "yes", "no"]
    assert probabilities["data"] == [0.75, 0.25, 0.0, 1.0, 1.0, 0.0]
    assert json.dumps(prediction)


def test_a_regression_answers_by_the_protocol(load: Any) -> None:
    (prediction,) = ask(load("regression"), [0.25, None])["outputs"]
    assert prediction["data"] == [0.25, 0.0]


def test_numbers_may_come_as_text_and_a_wrong_one_is_named(load: Any) -> None:
    model = load()
    assert ask(model, ["0.25", ""], "BYTES")["outputs"][0]["data"] == ["no", "no"]
    with pytest.raises(ValueError, match=r"input 'age' holds 'old' in row 1; send a number, or"):
        ask(model, ["0.25", "old"], "BYTES")


def test_metadata_comes_from_the_manifest(load: Any) -> None:
    model = load()
    assert [(i.name, i.kind, i.datatype) for i in model.inputs] == [
        ("age", "NUMBER", "FP64"),
        ("city", "CATEGORY", "BYTES"),
    ]
    assert model.classes == ("no", "yes")
    assert model.description["family"] == "stub"


def test_only_the_bundle_of_that_hash_is_loaded(load: Any, tmp_path: Path) -> None:
    load()
    for wrong in ("0" * 64, ""):
        with pytest.raises(BundleError, match="altered or replaced"):
            load_servable(str(tmp_path / "bundle"), wrong)
