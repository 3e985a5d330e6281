"""Writes a bundle: whole or not at all, on a local disk or in an object store."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.fs

from workers.bundle.manifest import (
    ENCODER,
    MANIFEST,
    MODEL_DIRECTORY,
    README,
    BundleContent,
    FileEntry,
    Manifest,
    check_path,
    installed_libraries,
)
from workers.data.encode import Encoder
from workers.data.source import resolve

_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class WrittenBundle:
    """manifest_sha256: hexadecimal. bundle_bytes: all files, the manifest included."""

    manifest_sha256: str
    bundle_bytes: int


def write_bundle(
    uri: str, *, content: BundleContent, encoder: Encoder, model_directory: Path
) -> WrittenBundle:
    """Writes the bundle to `uri`, in place of what is there.

    uri: a URI for `pyarrow.fs`, or a local path; the bundle is a directory. model_directory: the
    files that the family saved.

    On a local disk a finished directory is renamed into place. In an object store the manifest
    goes last: without it there is no bundle.

    Raises: OSError when the place cannot be written.
    """
    filesystem, path = resolve(uri)
    is_local = isinstance(filesystem, pyarrow.fs.LocalFileSystem)
    with _local_target(Path(path)) if is_local else _scratch() as directory:
        shutil.copytree(model_directory, directory / MODEL_DIRECTORY)
        (directory / ENCODER).write_text(encoder.dumps(), encoding="utf-8")
        (directory / README).write_text(_readme(content), encoding="utf-8")
        files = {
            check_path(file.relative_to(directory).as_posix()): _entry(file)
            for file in sorted(directory.rglob("*"))
            if file.is_file()
        }
        manifest = Manifest(content, files, installed_libraries()).dumps()
        (directory / MANIFEST).write_bytes(manifest)
        if not is_local:
            _upload(directory, [*files, MANIFEST], filesystem, path)
    return WrittenBundle(
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        bundle_bytes=len(manifest) + sum(entry.bytes for entry in files.values()),
    )


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bundle-") as name:
        yield Path(name)


@contextmanager
def _local_target(target: Path) -> Iterator[Path]:
    """A directory beside the target that takes its place when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        unfinished = beside / "new"
        unfinished.mkdir()
        yield unfinished
        _flush(unfinished)
        if target.exists():
            target.rename(beside / "old")
        unfinished.rename(target)
        _flush_directory(target.parent)
    finally:
        shutil.rmtree(beside)


def _flush(directory: Path) -> None:
    """Brings the files to disk, so that a power cut leaves no empty ones under a final name."""
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            _flush_directory(path)
    _flush_directory(directory)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _upload(
    directory: Path, files: list[str], filesystem: pyarrow.fs.FileSystem, path: str
) -> None:
    """Copies the files in order; an earlier try's go first, its manifest before all others."""
    manifest = f"{path}/{MANIFEST}"
    if filesystem.get_file_info(manifest).type is not pyarrow.fs.FileType.NotFound:
        filesystem.delete_file(manifest)
    filesystem.delete_dir_contents(path, missing_dir_ok=True)
    for name in files:
        target = f"{path}/{name}"
        filesystem.create_dir(target.rpartition("/")[0], recursive=True)
        with (directory / name).open("rb") as source, filesystem.open_output_stream(target) as sink:
            shutil.copyfileobj(source, sink, _CHUNK_BYTES)


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return FileEntry(sha256=digest.hexdigest(), bytes=path.stat().st_size)


def _readme(content: BundleContent) -> str:
    wanted = "\n".join(f"| {entry.name} | {entry.kind} |" for entry in content.inputs)
    classes = ", ".join(content.classes) or "none: it predicts numbers"
    return f"""# A Headgate model

It predicts `{content.target_column}` ({content.task}, family `{content.family}`, fitted on
{content.training_rows} rows). Classes, in the order of the probabilities: {classes}.

| input column | kind |
|---|---|
{wanted}

## Load it
Install `headgate-server` with the library versions of `{MANIFEST}`, then:

    from workers.bundle.load import load_bundle

    model = load_bundle("PATH OR URI OF THIS DIRECTORY")
    predictions = model.predict_columns({{"column": ["value", "value"], ...}})
    predictions.labels, predictions.probabilities, predictions.values

## What is in it
`{MANIFEST}` describes the model and holds the SHA-256 of every other file; `{ENCODER}` turns
columns into features; `{MODEL_DIRECTORY}/` is what the family's library wrote. Loading checks every
checksum first. Files of scikit-learn models are pickles, which run code when they are loaded:
without the manifest's own SHA-256 from a source you trust, load only bundles that you made.
"""
