"""Encodes a dataset once for all trials of a search on a node.

The stored table is streamed: memory is a batch of rows and about 2 MiB a column of Parquet's pages
and dictionaries, the distinct texts of one category column at a time, and a few numbers a row. X
goes to disk by plain writes (a full disk is an OSError; a memory map would end the process). Two
processes may prepare the same directory: the second waits for the first and finds its work. What a
killed run left is removed by the next.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from workers.data.encode import Encoder, categorical_levels
from workers.data.prepared import FORMAT_VERSION, Meta, part_sizes
from workers.data.source import Source
from workers.data.splits import Split, split
from workers.data.target import RowFacts, read_row_facts
from workers.families.base import DataShape
from workers.trial.job import PreparedData, PrepareJob


def prepare(job: PrepareJob) -> PreparedData:
    """Writes the directory of `job`, or finds it done. Idempotent; blocks.

    Raises: ValueError for data that cannot be learned from (naming the column), OSError.
    """
    directory = Path(job.directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with _locked(directory.with_name(directory.name + ".lock")):
        meta = _existing(directory, _fingerprint(job)) or _write(job, directory)
    return PreparedData(directory=job.directory, shape=meta.shape, notes=meta.notes)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock, which the kernel lets go of when the process ends in any way."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fingerprint(job: PrepareJob) -> str:
    """What the content of a directory depends on: the job but for the directory's own place."""
    content = {**asdict(job), "directory": "", "format_version": FORMAT_VERSION}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _existing(directory: Path, fingerprint: str) -> Meta | None:
    try:
        text = (directory / "meta.json").read_text()
    except FileNotFoundError:
        return None
    if json.loads(text).get("fingerprint") != fingerprint:
        return None  # of another job or another version: it is made anew
    return Meta.loads(text)


def _write(job: PrepareJob, directory: Path) -> Meta:
    unfinished = directory.with_name(directory.name + ".unfinished")
    for leftover in (unfinished, directory):
        if leftover.exists():
            shutil.rmtree(leftover)
    unfinished.mkdir()
    with Source(job.dataset_uri) as source:
        meta = _encode(job, source, unfinished)
    (unfinished / "meta.json").write_text(meta.dumps())
    unfinished.rename(directory)
    return meta


def _encode(job: PrepareJob, source: Source, directory: Path) -> Meta:
    if not job.columns:
        raise ValueError("no feature columns are left")
    facts = read_row_facts(source, job)
    parts = split(
        y=facts.y,
        is_classification=job.task != "regression",
        folds=job.folds,
        seed=job.seed,
        groups=facts.groups,
        times=facts.times,
    )
    encoder = Encoder.fit_batches(source.column, columns=job.columns, rows=source.rows)
    (directory / "encoder.json").write_text(encoder.dumps(), encoding="utf-8")
    _save_rows(directory, facts, parts)
    has_missing = _save_matrix(directory / "X.npy", source, encoder, facts.is_kept, parts.numbers)
    return Meta(
        format_version=FORMAT_VERSION,
        fingerprint=_fingerprint(job),
        task=job.task,
        classes=job.classes,
        target_column=job.target_column,
        is_time_ordered=parts.is_time_ordered,
        categorical=categorical_levels(encoder.features),
        shape=_shape(job, encoder, parts, has_missing),
        notes=facts.notes + parts.notes,
    )


def _save_rows(directory: Path, facts: RowFacts, parts: Split) -> None:
    """The arrays of one number a row, in the order of the directory."""
    order = np.argsort(parts.numbers, kind="stable")
    np.save(directory / "folds.npy", parts.numbers[order])
    np.save(directory / "y.npy", facts.y[order])
    np.save(directory / "rows.npy", np.flatnonzero(facts.is_kept)[order])
    if facts.weights is not None:
        np.save(directory / "weight.npy", facts.weights[order])


def _save_matrix(
    path: Path,
    source: Source,
    encoder: Encoder,
    is_kept: npt.NDArray[np.bool_],
    numbers: npt.NDArray[np.int8],
) -> bool:
    """Writes X batch by batch, each fold's rows behind those it has; says whether cells miss."""
    width = len(encoder.features)
    row_bytes = width * np.dtype(np.float32).itemsize
    has_missing, read, kept = False, 0, 0
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (len(numbers), width)}
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        next_row = _first_rows(numbers)
        start = file.tell()
        for batch in source.batches([column.name for column in encoder.columns]):
            matrix = encoder.transform(batch)[is_kept[read : read + batch.num_rows]]
            has_missing = has_missing or bool(np.isnan(matrix).any())
            own = numbers[kept : kept + len(matrix)]
            for fold in np.unique(own).tolist():
                rows = matrix[own == fold]
                _write_at(file.fileno(), rows.tobytes(), start + next_row[fold] * row_bytes)
                next_row[fold] += len(rows)
            read += batch.num_rows
            kept += len(matrix)
    return has_missing


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def _first_rows(numbers: npt.NDArray[np.int8]) -> dict[int, int]:
    """Where each fold's rows begin in the directory's order."""
    folds, counts = np.unique(numbers, return_counts=True)
    starts = np.cumsum(counts) - counts
    return dict(zip(folds.tolist(), starts.tolist(), strict=True))


def _shape(job: PrepareJob, encoder: Encoder, parts: Split, has_missing: bool) -> DataShape:
    train_rows, validation_rows = part_sizes(parts.numbers, parts.is_time_ordered)
    levels = [count for count in categorical_levels(encoder.features) if count]
    return DataShape(
        rows=len(parts.numbers),
        train_rows=train_rows,
        validation_rows=validation_rows,
        features=len(encoder.features),
        categorical_features=len(levels),
        category_levels=sum(levels),
        classes=len(job.classes),
        folds=parts.count,
        cells_missing=has_missing,
        category_sizes=tuple(levels),
    )
