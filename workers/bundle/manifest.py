"""The manifest of a bundle: what the model is, and the checksum of every other file.

`manifest.json` is the root of trust: whoever knows its SHA-256 knows all bytes of the bundle. Its
content is checked in full when it is read, before anything else of the bundle is opened.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from workers.data.layout import ColumnInfo

BUNDLE_VERSION = 1
"""Raised when a bundle's layout or the meaning of a field changes; a sample of each version is
kept in tests/golden."""

MANIFEST = "manifest.json"
ENCODER = "encoder.json"
README = "README.md"
MODEL_DIRECTORY = "model"

LIBRARIES = ("numpy", "pyarrow", "scikit-learn", "xgboost")
"""Distributions whose versions a manifest records."""

DATATYPES = {
    "NUMBER": "FP64",
    "BOOLEAN": "BOOL",
    "CATEGORY": "BYTES",
    "DATE": "BYTES",
    "TEXT": "BYTES",
}
"""Open Inference Protocol datatype of each kind of column."""

TASKS = ("binary", "multiclass", "regression")

_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
LARGEST_MANIFEST_BYTES = 16 * 1024 * 1024
"""Thousands of columns with long names fit ten times over."""


class BundleError(ValueError):
    """A bundle that must not or cannot be used: altered, incomplete, or of an unknown version."""


class IncompatibleBundle(BundleError):
    """A sound bundle whose model the installed library cannot be trusted to read."""

    def __init__(self, library: str, written_with: str, installed: str) -> None:
        self.library, self.written_with, self.installed = library, written_with, installed
        super().__init__(
            f"the model was written with {library} {written_with}, installed is {installed}: "
            f"install {library} {written_with}, or run the search again"
        )


@dataclass(frozen=True)
class Input:
    """A column that the model wants. datatype: the Open Inference Protocol's."""

    name: str
    kind: str
    datatype: str


@dataclass(frozen=True)
class FileEntry:
    """What a file must be: hexadecimal hash and size."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class BundleContent:
    """What a bundle says about its model.

    classes: in the order of probability columns, the positive one last; empty for regression.
    description: whatever the search adds (search, trial, metric, score …). created_at: seconds
    since 1970.
    """

    task: str
    classes: tuple[str, ...]
    target_column: str
    family: str
    parameters: Mapping[str, Any]
    seed: int
    training_rows: int
    inputs: tuple[Input, ...]
    created_at: float
    description: Mapping[str, Any] = field(default_factory=dict)

    @property
    def positive_class(self) -> str:
        """The class that binary metrics look at; empty for other tasks."""
        return self.classes[-1] if self.task == "binary" else ""


@dataclass(frozen=True)
class Manifest:
    """A manifest that passed all checks. libraries: versions at writing, `python` included."""

    content: BundleContent
    files: Mapping[str, FileEntry]
    libraries: Mapping[str, str]

    def dumps(self) -> bytes:
        """The bytes of `manifest.json`, the same for the same manifest."""
        content = asdict(self.content)
        created_at = datetime.fromtimestamp(content.pop("created_at"), UTC)
        data = {
            "bundle_version": BUNDLE_VERSION,
            "created_at": created_at.isoformat(timespec="milliseconds"),
            **content,
            "positive_class": self.content.positive_class,
            "libraries": dict(self.libraries),
            "files": {name: asdict(entry) for name, entry in sorted(self.files.items())},
        }
        return json.dumps(data, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def loads(cls, data: bytes) -> Manifest:
        """Reads `manifest.json`. Raises: BundleError saying what is wrong with it."""
        if len(data) > LARGEST_MANIFEST_BYTES:
            raise BundleError(f"{MANIFEST} is larger than {LARGEST_MANIFEST_BYTES} bytes")
        try:
            read = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{MANIFEST} is no JSON: {error}") from error
        if not isinstance(read, dict):
            raise BundleError(f"{MANIFEST} is no JSON object")
        version = read.get("bundle_version")
        if version != BUNDLE_VERSION or isinstance(version, bool):
            raise BundleError(
                f"bundle version {version!r}; this code reads version {BUNDLE_VERSION}: "
                "install the headgate-server that wrote it"
            )
        try:
            libraries = {str(name): str(found) for name, found in dict(read["libraries"]).items()}
            return cls(_content(read), _files(read["files"]), libraries)
        except BundleError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{MANIFEST} is incomplete: {error!r}") from error


def inputs_of(columns: Sequence[ColumnInfo]) -> tuple[Input, ...]:
    """The inputs that an encoder's columns ask for."""
    return tuple(Input(column.name, column.kind, DATATYPES[column.kind]) for column in columns)


def installed_libraries() -> dict[str, str]:
    """Versions of what a model may depend on; what is not installed is left out."""
    versions = {"python": platform.python_version()}
    # xgboost-cpu is the same module under another distribution's name.
    for library, names in {name: (name, f"{name}-cpu") for name in LIBRARIES}.items():
        for name in names:
            try:
                versions[library] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
            break
    return versions


def check_path(path: object) -> str:
    """A file's path within the bundle. Raises: BundleError unless it is plain and relative."""
    if not isinstance(path, str) or not all(map(_SEGMENT.fullmatch, path.split("/"))):
        raise BundleError(f"{MANIFEST} names {path!r}, which is no plain relative path")
    if path == MANIFEST:
        raise BundleError(f"{MANIFEST} lists itself")
    return path


def _content(read: Mapping[str, Any]) -> BundleContent:
    if read["task"] not in TASKS:
        raise BundleError(f"{MANIFEST}: unknown task {read['task']!r}")
    return BundleContent(
        task=read["task"],
        classes=tuple(map(str, read["classes"])),
        target_column=str(read["target_column"]),
        family=str(read["family"]),
        parameters=dict(read["parameters"]),
        seed=int(read["seed"]),
        training_rows=int(read["training_rows"]),
        inputs=tuple(Input(**entry) for entry in read["inputs"]),
        created_at=datetime.fromisoformat(read["created_at"]).timestamp(),
        description=dict(read["description"]),
    )


def _files(read: Any) -> dict[str, FileEntry]:
    files = {check_path(path): FileEntry(**entry) for path, entry in dict(read).items()}
    for path, entry in files.items():
        is_size = isinstance(entry.bytes, int) and entry.bytes >= 0
        if not (is_size and _SHA256.fullmatch(entry.sha256)):
            raise BundleError(f"{MANIFEST}: {path!r} has no proper checksum and size")
    if ENCODER not in files:
        raise BundleError(f"{MANIFEST} lists no {ENCODER}")
    return files
