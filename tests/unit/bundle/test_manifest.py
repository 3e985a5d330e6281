"""The manifest's own rules: round trip, and which library versions may read a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from workers.bundle.load import check_libraries
from workers.bundle.manifest import (
    FileEntry,
    IncompatibleBundle,
    Manifest,
    installed_libraries,
)


@pytest.fixture
def manifest(bundle: tuple[Path, str]) -> Manifest:
    return Manifest.loads((bundle[0] / "manifest.json").read_bytes())


def test_a_manifest_survives_a_round_trip(manifest: Manifest) -> None:
    assert Manifest.loads(manifest.dumps()) == manifest


def test_only_two_classes_have_a_positive_one(manifest: Manifest) -> None:
    assert manifest.content.positive_class == "yes"
    assert replace(manifest.content, task="multiclass").positive_class == ""


def test_the_installed_libraries_are_found() -> None:
    assert {"python", "numpy", "pyarrow", "scikit-learn", "xgboost"} == installed_libraries().keys()


@pytest.mark.parametrize(
    ("file", "library", "written", "installed", "is_fine"),
    [
        ("model/estimator.joblib", "scikit-learn", "1.9.1", "1.9.4", True),
        ("model/estimator.joblib", "scikit-learn", "1.9.1", "1.10.0", False),
        ("model/estimator.joblib", "scikit-learn", "1.9.1", "2.9.1", False),
        ("model/estimator.joblib", "xgboost", "3.2.0", "1.0.0", True),
        ("model/booster.ubj", "xgboost", "3.2.0", "3.2.1", True),
        ("model/booster.ubj", "xgboost", "3.2.0", "4.0.0", True),
        ("model/booster.ubj", "xgboost", "3.2.0", "3.1.9", False),
        ("model/booster.ubj", "scikit-learn", "1.9.1", "1.0.0", True),
        ("model/booster.ubj", "xgboost", "3.2.0rc1", "3.2.0", True),
    ],
)
def test_library_rules(
    manifest: Manifest, file: str, library: str, written: str, installed: str, is_fine: bool
) -> None:
    there = replace(
        manifest,
        files={file: FileEntry("0" * 64, 1)},
        libraries={**manifest.libraries, library: written},
    )
    here = {**manifest.libraries, library: installed}
    if is_fine:
        check_libraries(there, here)
        return
    with pytest.raises(IncompatibleBundle, match=f"written with {library} {written}, installed"):
        check_libraries(there, here)


def test_a_library_that_is_not_installed_is_named(manifest: Manifest) -> None:
    with pytest.raises(IncompatibleBundle, match="installed is none"):
        check_libraries(manifest, {})
