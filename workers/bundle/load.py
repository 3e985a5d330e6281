"""Loads a bundle, after every byte of it has been checked.

The files are first copied to a private directory while they are hashed, and the model is read from
that copy: nobody can change them between the check and the use. Nothing is unpickled before all of
them are verified.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.fs

from workers.bundle.manifest import (
    ENCODER,
    LARGEST_MANIFEST_BYTES,
    MANIFEST,
    MODEL_DIRECTORY,
    BundleContent,
    BundleError,
    FileEntry,
    IncompatibleBundle,
    Manifest,
    inputs_of,
    installed_libraries,
)
from workers.data.encode import Encoder, EncoderError
from workers.data.source import resolve
from workers.families.base import Family
from workers.families.registry import family

_CHUNK_BYTES = 1024 * 1024


class InputError(ValueError):
    """Columns that the model does not know, or that it misses. columns: their names."""

    def __init__(self, message: str, columns: tuple[str, ...]) -> None:
        self.columns = columns
        super().__init__(message)


@dataclass(frozen=True)
class Predictions:
    """labels: class texts, one a row, and probabilities: (n, classes) float64 in the order of the
    manifest's classes; or values: (n,) float64 of a regression. What does not apply is None.
    """

    labels: list[str] | None = None
    probabilities: npt.NDArray[np.float64] | None = None
    values: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class LoadedBundle:
    """A verified model, ready to predict. Immutable."""

    content: BundleContent
    manifest_sha256: str
    encoder: Encoder
    family: Family
    model: Any

    def predict_columns(self, columns: Mapping[str, Any]) -> Predictions:
        """Predicts rows given as columns of equal length: lists, numpy or pyarrow arrays.

        Raises: InputError naming missing or unknown columns; `workers.data.cells.CellError` for a
        value that does not fit its column; `workers.data.encode.EncoderError` for unequal lengths.
        """
        self._check_names(columns)
        X = self.encoder.transform(columns)
        if self.content.task == "regression":
            values = self.family.predict(self.model, X) if len(X) else np.empty(0)
            return Predictions(values=np.asarray(values, dtype=np.float64))
        classes = self.content.classes
        scores = self.family.predict(self.model, X) if len(X) else np.empty((0, len(classes)))
        probabilities = np.asarray(scores, dtype=np.float64)
        labels = [classes[code] for code in probabilities.argmax(axis=1).tolist()]
        return Predictions(labels=labels, probabilities=probabilities)

    def _check_names(self, columns: Mapping[str, Any]) -> None:
        wanted = [entry.name for entry in self.content.inputs]
        missing = tuple(name for name in wanted if name not in columns)
        unknown = tuple(name for name in columns if name not in set(wanted))
        parts = []
        if missing:
            parts.append(f"missing columns: {', '.join(map(repr, missing))}")
        if unknown:
            parts.append(f"unknown columns: {', '.join(map(repr, unknown))}")
        if parts:
            known = ", ".join(wanted[:20]) + (", …" if len(wanted) > 20 else "")
            raise InputError(f"{'; '.join(parts)}; the model wants {known}", missing + unknown)


def load_bundle(uri: str | Path, manifest_sha256: str | None = None) -> LoadedBundle:
    """Verifies and loads the bundle at a URI or local path. Blocks.

    manifest_sha256: hexadecimal, from whoever vouches for the model. None trusts the manifest that
    lies there: for bundles of your own only.

    Raises: BundleError for a bundle that is not what its manifest says, IncompatibleBundle when the
    installed library cannot be trusted to read it, OSError when it cannot be reached.
    """
    with tempfile.TemporaryDirectory(prefix="bundle-") as name:
        copy = Path(name)
        manifest, digest = fetch_verified(str(uri), copy, manifest_sha256)
        check_libraries(manifest, installed_libraries())
        encoder = _encoder(copy / ENCODER)
        if inputs_of(encoder.columns) != manifest.content.inputs:
            raise BundleError(f"{MANIFEST} and {ENCODER} name different columns")
        chosen = _family(manifest.content.family)
        model = chosen.load(copy / MODEL_DIRECTORY)
    return LoadedBundle(manifest.content, digest, encoder, chosen, model)


def fetch_verified(uri: str, directory: Path, manifest_sha256: str | None) -> tuple[Manifest, str]:
    """Copies a bundle's files into an empty directory and checks each; see `load_bundle`.

    Returns the manifest and its hash. Nothing in the bundle is interpreted but the manifest.
    """
    filesystem, path = resolve(uri)
    try:
        with filesystem.open_input_stream(f"{path}/{MANIFEST}", compression=None) as stream:
            data = stream.read(LARGEST_MANIFEST_BYTES + 1)
    except FileNotFoundError as error:
        raise BundleError(f"no bundle at {uri}: it has no {MANIFEST}") from error
    digest = hashlib.sha256(data).hexdigest()
    if manifest_sha256 is not None and digest != manifest_sha256.lower():
        raise BundleError(
            f"{MANIFEST} has SHA-256 {digest}, expected was {manifest_sha256}: the bundle was "
            "altered or replaced"
        )
    manifest = Manifest.loads(data)
    _check_listing(filesystem, path, manifest)
    for name, entry in manifest.files.items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            filesystem.open_input_stream(f"{path}/{name}", compression=None) as stream,
            target.open("wb") as file,
        ):
            _copy_checked(stream, file, name, entry)
    return manifest, digest


def check_libraries(manifest: Manifest, installed: Mapping[str, str]) -> None:
    """Refuses what the installed libraries are not known to read.

    scikit-learn promises nothing between minor versions, so those must be equal where a pickle is
    in the bundle. xgboost's own format is read by the version that wrote it and all later ones.

    Raises: IncompatibleBundle.
    """
    written = manifest.libraries
    is_pickle = any(name.endswith((".joblib", ".pkl", ".pickle")) for name in manifest.files)
    rules = {"scikit-learn": _same_minor} if is_pickle else {}
    if any(name.endswith((".ubj", ".xgb")) for name in manifest.files):
        rules["xgboost"] = _not_older
    for library, is_fine in rules.items():
        there, here = written.get(library, ""), installed.get(library, "none")
        if not is_fine(there, here):
            raise IncompatibleBundle(library, there or "an unknown version", here)


def _same_minor(written: str, installed: str) -> bool:
    return _numbers(written)[:2] == _numbers(installed)[:2]


def _not_older(written: str, installed: str) -> bool:
    return _numbers(installed)[:2] >= _numbers(written)[:2]


def _numbers(version: str) -> list[int]:
    """`1.9.1rc2` is 1, 9; a part that is no number ends it."""
    parts = []
    for part in version.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return parts


def _check_listing(filesystem: pyarrow.fs.FileSystem, path: str, manifest: Manifest) -> None:
    """The files that are there are those of the manifest: none missing, none besides."""
    infos = filesystem.get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
    prefix = path.rstrip("/") + "/"
    there = {
        info.path.removeprefix(prefix)
        for info in infos
        if info.type is not pyarrow.fs.FileType.Directory
    }
    expected = {*manifest.files, MANIFEST}
    if missing := sorted(expected - there):
        raise BundleError(f"the bundle lacks {missing[0]!r}")
    if extra := sorted(there - expected):
        raise BundleError(f"the bundle holds {extra[0]!r}, which its manifest does not list")


def _copy_checked(stream: Any, file: Any, name: str, entry: FileEntry) -> None:
    digest, size = hashlib.sha256(), 0
    # One chunk more than promised is enough to know; an endless file ends there.
    while size <= entry.bytes and (chunk := stream.read(_CHUNK_BYTES)):
        digest.update(chunk)
        size += len(chunk)
        file.write(chunk)
    if size != entry.bytes or digest.hexdigest() != entry.sha256:
        raise BundleError(f"{name!r} is not what the manifest says: it was altered")


def _encoder(path: Path) -> Encoder:
    try:
        return Encoder.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (EncoderError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{ENCODER}: {error}") from error


def _family(name: str) -> Family:
    try:
        return family(name)
    except ValueError as error:
        raise BundleError(f"{MANIFEST}: {error}") from error
