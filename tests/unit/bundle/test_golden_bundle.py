"""The committed bundle of each version is still verified, read, and predicts as it did."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from workers.bundle.load import fetch_verified, load_bundle
from workers.bundle.manifest import BUNDLE_VERSION, IncompatibleBundle, installed_libraries

GOLDEN = Path(__file__).parents[2] / "golden"
VERSIONS = range(1, BUNDLE_VERSION + 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sample_is_verified(version: int, tmp_path: Path) -> None:
    expected = json.loads((GOLDEN / f"bundle-v{version}.expected.json").read_text())
    manifest, digest = fetch_verified(
        str(GOLDEN / f"bundle-v{version}"), tmp_path, expected["manifest_sha256"]
    )
    assert digest == expected["manifest_sha256"]
    assert manifest.content.classes == ("no", "yes")
    assert manifest.content.target_column == "bought"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sample_predicts_or_says_which_library_it_needs(version: int) -> None:
    path = GOLDEN / f"bundle-v{version}"
    expected = json.loads((GOLDEN / f"bundle-v{version}.expected.json").read_text())
    try:
        loaded = load_bundle(path, expected["manifest_sha256"])
    except IncompatibleBundle as error:
        written = json.loads((path / "manifest.json").read_text())["libraries"]
        assert error.written_with == written[error.library]  # noqa: PT017 (either way is right)
        assert error.installed == installed_libraries()[error.library]  # noqa: PT017
        return
    found = loaded.predict_columns(expected["columns"])
    assert found.labels == expected["labels"]
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities, expected["probabilities"], rtol=1e-9)
