"""Models: reading them, and archives that are whole or fail loudly."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from controller.adapters.artifacts import FsArtifacts
from controller.domain.errors import DataLoss, NotFound
from controller.domain.names import ModelName, NamespaceName
from controller.domain.records import Model, Task
from controller.ports.store import Store
from controller.service.models import CHUNK_BYTES, ModelService
from controller.service.paging import Pager

NAME = ModelName("default", "s")
FILES = {
    "encoder.json": b"{}",
    "model/weights 1.bin": bytes(range(256)) * 10_000,
    "model/empty": b"",
}


@pytest.fixture
def models(store: Store, artifacts: FsArtifacts) -> ModelService:
    return ModelService(store, artifacts, Pager(b"0123456789abcdef"))


@pytest.fixture
def model(store: Store, artifacts: FsArtifacts, tmp_path: Path) -> Model:
    uri = artifacts.uri("bundles", "default", "s-1")
    entries = {
        path: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for path, content in FILES.items()
    }
    manifest = json.dumps({"bundle_version": 1, "files": entries}).encode()
    for path, content in {**FILES, "manifest.json": manifest}.items():
        source = tmp_path / "source"
        source.write_bytes(content)
        artifacts.put_file(source, uri + "/" + path.replace(" ", "%20"))
    record = Model(
        str(NAME), "namespaces/default/searches/s", "t", "linear", {}, Task.BINARY, "label",
        ("a", "b"), "b", (), "roc_auc", 0.9, 100, uri, hashlib.sha256(manifest).hexdigest(), 3,
        1_700_000_000.0,
    )  # fmt: skip
    with store.transaction() as tx:
        return tx.put(record)


def spoil(artifacts: FsArtifacts, model: Model, path: str, content: bytes, tmp_path: Path) -> None:
    source = tmp_path / "spoiled"
    source.write_bytes(content)
    artifacts.put_file(source, f"{model.bundle_uri}/{path}")


def test_an_archive_holds_every_file(models: ModelService, model: Model) -> None:
    pieces = list(models.export(NAME))
    assert max(map(len, pieces)) <= CHUNK_BYTES
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        found = {}
        for member in archive.getmembers():
            opened = archive.extractfile(member)
            assert opened is not None
            found[member.name] = opened.read()
    manifest = found.pop("manifest.json")
    assert hashlib.sha256(manifest).hexdigest() == model.manifest_sha256
    assert found == FILES


def test_a_spoiled_manifest(
    models: ModelService, artifacts: FsArtifacts, model: Model, tmp_path: Path
) -> None:
    spoil(artifacts, model, "manifest.json", b'{"files": {}}', tmp_path)
    with pytest.raises(DataLoss, match=r"manifest\.json"):
        models.export(NAME)


@pytest.mark.parametrize("content", [b"[]", b"{", b"{} "])
def test_a_spoiled_file(
    models: ModelService, artifacts: FsArtifacts, model: Model, tmp_path: Path, content: bytes
) -> None:
    spoil(artifacts, model, "encoder.json", content, tmp_path)
    with pytest.raises(DataLoss, match=r"encoder\.json") as caught:
        b"".join(models.export(NAME))
    assert caught.value.metadata["path"] == "encoder.json"


def test_a_missing_file(models: ModelService, artifacts: FsArtifacts, model: Model) -> None:
    artifacts.delete(f"{model.bundle_uri}/encoder.json")
    with pytest.raises(DataLoss):
        b"".join(models.export(NAME))


def test_reading(models: ModelService, store: Store, model: Model) -> None:
    assert models.get(NAME) == model
    with pytest.raises(NotFound):
        models.get(ModelName("default", "zzz"))
    with pytest.raises(NotFound):
        models.export(ModelName("default", "zzz"))
    with store.transaction() as tx:
        tx.put(replace(model, name="namespaces/default/models/t"))
    first, more = models.list(NamespaceName("default"), 1)
    rest, end = models.list(NamespaceName("default"), 1, more)
    assert [m.name[-1] for m in (*first, *rest)] == ["t", "s"]
    assert not end
