"""Bundles that must not be loaded; no pickle is opened for any of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest

from workers.bundle.load import load_bundle
from workers.bundle.manifest import BundleError, IncompatibleBundle, check_path


@pytest.fixture(autouse=True)
def _no_unpickling(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("something was unpickled before the bundle was verified")

    monkeypatch.setattr(joblib, "load", refuse)


def change_manifest(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    change(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


def entry_of(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "name", ["encoder.json", "README.md", "model/estimator.joblib", "model/model.json"]
)
@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (flip_a_bit, "is not what the manifest says"),
        (lambda path: path.write_bytes(path.read_bytes() + b"\n"), "is not what the manifest"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is not what the manifest says"),
        (lambda path: path.write_bytes(b""), "is not what the manifest says"),
        (lambda path: path.unlink(), "lacks"),
    ],
)
def test_every_altered_or_missing_file_is_found(
    bundle: tuple[Path, str], name: str, harm: Callable[[Path], object], message: str
) -> None:
    path, digest = bundle
    harm(path / name)
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(path, digest)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["extra.py", "model/extra.joblib", "deep/er/file", ".hidden"])
def test_a_file_more_than_listed_is_refused(bundle: tuple[Path, str], name: str) -> None:
    path, digest = bundle
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_text("x")
    with pytest.raises(BundleError, match="which its manifest does not list"):
        load_bundle(path, digest)


def test_an_altered_manifest_is_refused_by_its_hash(bundle: tuple[Path, str]) -> None:
    path, digest = bundle
    harmful = b"cos\nsystem\n(S'true'\ntR."
    (path / "model/estimator.joblib").write_bytes(harmful)
    change_manifest(
        path, lambda m: m["files"].update({"model/estimator.joblib": entry_of(harmful)})
    )
    with pytest.raises(BundleError, match=r"manifest.json has SHA-256 .*altered or replaced"):
        load_bundle(path, digest)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle at"):
        load_bundle(tmp_path / "none")


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.5])
def test_an_unknown_version_is_refused(bundle: tuple[Path, str], version: object) -> None:
    path, _ = bundle
    change_manifest(path, lambda m: m.update(bundle_version=version))
    with pytest.raises(BundleError, match="this code reads version 1"):
        load_bundle(path)


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "model/../../outside",
        "/etc/passwd",
        "model//x",
        "model/",
        "",
        ".",
        "..",
        "a\\b",
        "C:x",
        "x\0y",
        "manifest.json",
        ".hidden",
        5,
        None,
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(bundle: tuple[Path, str], name: Any) -> None:
    with pytest.raises(BundleError, match=r"no plain relative path|lists itself"):
        check_path(name)
    if not isinstance(name, str):
        return
    path, _ = bundle
    (path.parent / "outside").write_text("x")
    change_manifest(path, lambda m: m["files"].update({name: entry_of(b"x")}))
    with pytest.raises(BundleError, match=r"no plain relative path|lists itself"):
        load_bundle(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("files"), "is incomplete: KeyError"),
        (lambda m: m.pop("libraries"), "is incomplete"),
        (lambda m: m.pop("inputs"), "is incomplete"),
        (lambda m: m.update(task="ranking"), "unknown task 'ranking'"),
        (lambda m: m.update(family="perceptron"), "unknown model family 'perceptron'"),
        (lambda m: m.update(created_at="noon"), "is incomplete"),
        (lambda m: m.update(files=[]), "lists no encoder.json"),
        (lambda m: m.update(files=5), "is incomplete"),
        (lambda m: m["files"].update({"model/model.json": 5}), "is incomplete"),
        (lambda m: m["files"]["encoder.json"].update(sha256=5), "is incomplete"),
        (lambda m: m.update(libraries=5), "is incomplete"),
        (lambda m: m["files"].pop("encoder.json"), "lists no encoder.json"),
        (lambda m: m["files"]["encoder.json"].update(bytes=-1), "no proper checksum"),
        (lambda m: m["files"]["encoder.json"].update(sha256="00"), "no proper checksum"),
        (lambda m: m["files"]["encoder.json"].update(mode=7), "is incomplete"),
        (lambda m: m["inputs"].pop(), "name different columns"),
    ],
)
def test_an_unsound_manifest_is_refused(
    bundle: tuple[Path, str], change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path, _ = bundle
    change_manifest(path, change)
    with pytest.raises(BundleError, match=message):
        load_bundle(path)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000])
def test_a_manifest_that_is_no_object_is_refused(bundle: tuple[Path, str], data: bytes) -> None:
    path, _ = bundle
    (path / "manifest.json").write_bytes(data)
    with pytest.raises(BundleError, match=r"manifest.json is no JSON"):
        load_bundle(path)


def test_an_encoder_that_does_not_fit_is_refused(bundle: tuple[Path, str]) -> None:
    path, _ = bundle
    data = json.dumps(json.loads((path / "encoder.json").read_text()) | {"encoder_version": 9})
    (path / "encoder.json").write_text(data)
    change_manifest(path, lambda m: m["files"].update({"encoder.json": entry_of(data.encode())}))
    with pytest.raises(BundleError, match=r"encoder.json: encoder version 9"):
        load_bundle(path)


@pytest.mark.parametrize("version", ["0.24.2", "2.0.0", ""])
def test_a_pickle_of_another_library_version_is_refused(
    bundle: tuple[Path, str], version: str
) -> None:
    path, _ = bundle
    change_manifest(path, lambda m: m["libraries"].update({"scikit-learn": version}))
    with pytest.raises(IncompatibleBundle, match="install scikit-learn"):
        load_bundle(path)
