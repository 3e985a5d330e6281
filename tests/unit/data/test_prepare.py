"""Preparing a dataset: what lands on disk, what is refused, and two runs at once."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workers.data.layout import ColumnInfo, fold_copy_bytes, layout
from workers.data.prepare import prepare
from workers.data.prepared import Prepared, take
from workers.data.splits import ALWAYS_TRAINING
from workers.trial.job import PrepareJob

ROWS = 300
COLUMNS = (
    ColumnInfo("id", "NUMBER", ROWS, has_missing=False),
    ColumnInfo("level", "CATEGORY", 3, has_missing=True),
)

Make = Callable[..., PrepareJob]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Stores the messy table, with columns replaced, and makes a job for it."""

    def build(*, store: dict[str, Any] | None = None, **job: Any) -> PrepareJob:
        start = datetime(2024, 1, 1)  # noqa: DTZ001
        columns = {
            "id": list(range(ROWS)),
            "level": [("a", "b", "c", None)[n % 4] for n in range(ROWS)],
            "y": ["no" if n % 3 else "yes" for n in range(ROWS)],
            "code": [n % 3 for n in range(ROWS)],
            "value": [n / 2 for n in range(ROWS)],
            "weight": [float(n % 5 + 1) for n in range(ROWS)],
            "group": [f"g{n % 30}" for n in range(ROWS)],
            "day": [start + timedelta(days=(n * 7) % ROWS) for n in range(ROWS)],
        }
        path = tmp_path / "table.parquet"
        pq.write_table(pa.table(columns | (store or {})), path, row_group_size=70)
        defaults: dict[str, Any] = {
            "search": "namespaces/default/searches/s",
            "dataset_uri": path.as_uri(),
            "columns": COLUMNS,
            "target_column": "y",
            "task": "binary",
            "classes": ("no", "yes"),
            "folds": 5,
            "seed": 0,
            "directory": str(tmp_path / "search" / "data"),
        }
        return PrepareJob(**(defaults | job))

    return build


def test_the_directory_holds_the_encoded_rows(make: Make) -> None:
    job = make()
    result = prepare(job)
    data = Prepared.open(result.directory)
    rows = np.load(data.directory / "rows.npy")
    assert sorted(rows.tolist()) == list(range(ROWS))
    assert data.X[:, 0].tolist() == rows.tolist()
    assert data.y.tolist() == [0 if row % 3 else 1 for row in rows]
    assert data.y.dtype == np.int32
    levels = {0: 0, 1: 1, 2: 2, 3: np.nan}
    np.testing.assert_array_equal(data.X[:, 1], [levels[row % 4] for row in rows.tolist()])
    assert data.weights is None
    assert data.encoder().columns == COLUMNS
    assert data.features(2).categorical == (0, 3)
    shape = result.shape
    assert (shape.rows, shape.train_rows, shape.validation_rows) == (ROWS, 240, 60)
    assert (shape.features, shape.categorical_features, shape.category_levels) == (2, 1, 3)
    assert (shape.classes, shape.folds, shape.cells_missing) == (2, 5, True)
    assert shape.features == len(layout(COLUMNS))
    assert result.notes == ()


@pytest.mark.parametrize(
    "extra", [{}, {"folds": 0}, {"group_column": "group"}, {"time_column": "day"}]
)
def test_rows_lie_sorted_by_fold_and_parts_are_complete(make: Make, extra: Any) -> None:
    data = Prepared.open(prepare(make(**extra)).directory)
    assert (np.diff(data.folds) >= 0).all()
    is_time_ordered = "time_column" in extra
    assert data.meta.is_time_ordered is is_time_ordered
    for fold in range(data.meta.shape.folds):
        held_out = take(data.X, data.validation(fold))[:, 0]
        trained = take(data.X, data.training(fold))[:, 0]
        is_training = data.folds < fold if is_time_ordered else data.folds != fold
        assert trained.tolist() == data.X[is_training, 0].tolist()
        assert held_out.tolist() == data.X[data.folds == fold, 0].tolist()
        assert len(trained) <= data.meta.shape.train_rows
        assert len(held_out) <= data.meta.shape.validation_rows


def test_parts_in_one_piece_are_not_copied(make: Make) -> None:
    for extra in ({"folds": 0}, {"time_column": "day"}):
        data = Prepared.open(prepare(make(**extra)).directory)
        for fold in range(data.meta.shape.folds):
            for pieces in (data.training(fold), data.validation(fold)):
                assert np.shares_memory(take(data.X, pieces), data.X)


def test_a_fold_copy_takes_what_the_layout_says(make: Make) -> None:
    holdout = prepare(make(folds=0)).shape
    assert fold_copy_bytes(holdout) == 0
    result = prepare(make(weight_column="weight"))
    data = Prepared.open(result.directory)
    pieces = data.training(2)
    assert data.weights is not None
    copied = [take(array, pieces) for array in (data.X, data.y, data.weights)]
    # Class codes take 4 bytes, the values of a regression 8.
    spare = 4 * result.shape.train_rows
    assert sum(array.nbytes for array in copied) + spare == fold_copy_bytes(result.shape)


def _write_into(directory: str) -> None:
    Prepared.open(directory).X[0, 0] = 1.0


def test_writing_to_the_shared_matrix_changes_nothing(make: Make) -> None:
    directory = prepare(make()).directory
    before = Prepared.open(directory).X.copy()
    child = multiprocessing.get_context("spawn").Process(target=_write_into, args=(directory,))
    child.start()
    child.join()
    assert child.exitcode == -11  # SIGSEGV
    np.testing.assert_array_equal(Prepared.open(directory).X, before)


def test_rows_without_a_target_or_weight_are_left_out(make: Make) -> None:
    y = [None, "", "no", *["no", "yes"] * 148, "yes"]
    weight = [1.0, 1.0, None, *[2.0] * 297]
    result = prepare(make(store={"y": y, "weight": weight}, weight_column="weight"))
    data = Prepared.open(result.directory)
    assert result.shape.rows == len(data.X) == ROWS - 3
    assert sorted(data.X[:, 0].tolist()) == list(range(3, ROWS))
    assert data.weights is not None
    assert data.weights.tolist() == [2.0] * (ROWS - 3)
    assert result.notes == (
        "2 rows without a target left out (column 'y')",
        "1 row without a weight left out (column 'weight')",
    )
    # Levels are counted over the whole table.
    assert data.encoder().rows == ROWS


@pytest.mark.parametrize(
    ("stored", "classes"),
    [
        (pa.array([n % 3 for n in range(ROWS)], pa.int64()), ("0", "1.0", "2")),
        (pa.array([n % 3 / 2 for n in range(ROWS)], pa.float64()), ("0", "0.50", "1")),
        (pa.array([f"c{n % 3}" for n in range(ROWS)]), ("c0", "c1", "c2")),
        (pa.array([f"c{n % 3}" for n in range(ROWS)]).dictionary_encode(), ("c0", "c1", "c2")),
    ],
)
def test_classes_are_found_by_their_text(make: Make, stored: Any, classes: Any) -> None:
    job = make(store={"y": stored}, task="multiclass", classes=classes)
    data = Prepared.open(prepare(job).directory)
    assert (data.y == data.X[:, 0].astype(np.int64) % 3).all()


@pytest.mark.parametrize("classes", [("true", "false"), ("No", "yes")])
def test_classes_of_a_boolean(make: Make, classes: tuple[str, str]) -> None:
    stored = pa.array([n % 2 == 0 for n in range(ROWS)])
    data = Prepared.open(prepare(make(store={"y": stored}, classes=classes)).directory)
    true_code = 0 if classes[0] == "true" else 1
    is_even = data.X[:, 0] % 2 == 0
    assert ((data.y == true_code) == is_even).all()


def test_regression_learns_the_values(make: Make) -> None:
    result = prepare(make(target_column="value", task="regression", classes=()))
    data = Prepared.open(result.directory)
    assert data.y.dtype == np.float64
    assert (data.y == data.X[:, 0] / 2).all()
    assert result.shape.classes == 0


@pytest.mark.parametrize(
    ("job", "store", "message"),
    [
        ({"classes": ("no", "maybe")}, {}, "'y' holds 'yes', which is none of the search's 2"),
        ({"target_column": "code", "classes": ("1", "1.0")}, {}, "two classes spell the same"),
        ({"target_column": "code", "classes": ("a", "b")}, {}, "could not convert"),
        ({"target_column": "day"}, {}, "target column 'day' of type timestamp"),
        ({"target_column": "none"}, {}, "the dataset has no column 'none'"),
        ({}, {"y": pa.array([None] * ROWS, pa.string())}, "'y': no row has a value"),
        ({"weight_column": "weight"}, {"weight": [-1.0] * ROWS}, "'weight' holds a negative"),
        ({"weight_column": "weight"}, {"weight": [0.0] * ROWS}, "'weight': all weights are 0"),
        ({"columns": ()}, {}, "no feature columns are left"),
        ({"group_column": "group"}, {"group": ["g"] * ROWS}, "all rows belong to one group"),
    ],
)
def test_data_that_cannot_be_learned_from(make: Make, job: Any, store: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prepare(make(store=store, **job))


def test_groups_and_missing_groups_stay_together(make: Make) -> None:
    group = [None if n % 10 == 0 else f"g{n % 30}" for n in range(ROWS)]
    job = make(store={"group": group}, group_column="group")
    data = Prepared.open(prepare(job).directory)
    fold_of: dict[str | None, int] = {}
    rows = np.load(data.directory / "rows.npy")
    for row, fold in zip(rows.tolist(), data.folds.tolist(), strict=True):
        assert fold_of.setdefault(group[row], fold) == fold
    assert len(fold_of) == 28


def test_time_decides_the_folds(make: Make) -> None:
    data = Prepared.open(prepare(make(time_column="day")).directory)
    day = np.array([(row * 7) % ROWS for row in np.load(data.directory / "rows.npy")])
    assert data.meta.shape.folds == 5
    for fold in range(5):
        assert day[data.folds < fold].max() < day[data.folds == fold].min()
    assert (data.folds == ALWAYS_TRAINING).sum() == 50


def test_a_second_run_finds_the_work_done(make: Make) -> None:
    job = make()
    first = prepare(job)
    stamp = (Path(job.directory) / "X.npy").stat().st_mtime_ns
    (Path(job.dataset_uri.removeprefix("file://"))).unlink()
    assert prepare(job) == first
    assert (Path(job.directory) / "X.npy").stat().st_mtime_ns == stamp


def test_another_jobs_directory_is_made_anew(make: Make) -> None:
    job = make()
    prepare(job)
    assert prepare(replace(job, folds=0)).shape.folds == 1


def test_what_a_killed_run_left_is_replaced(make: Make) -> None:
    job = make()
    leftover = Path(job.directory + ".unfinished")
    leftover.mkdir(parents=True)
    (leftover / "X.npy").write_bytes(b"half")
    Path(job.directory).mkdir()
    prepare(job)
    assert not leftover.exists()
    assert Prepared.open(job.directory).X.shape == (ROWS, 2)


def test_a_failed_run_leaves_no_directory(make: Make) -> None:
    job = make(classes=("no", "maybe"))
    with pytest.raises(ValueError, match="none of the search's"):
        prepare(job)
    assert not Path(job.directory).exists()


def test_two_runs_at_once_make_one_directory(make: Make) -> None:
    job = make()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.map(prepare, [job, job])
    assert first == second
    assert Prepared.open(job.directory).X.shape == (ROWS, 2)


def _prepare_within(job: PrepareJob, memory_bytes: int) -> int:
    """Prepares under a limit on private memory above what the imports took."""
    data_kib = next(
        int(line.split()[1])
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmData")
    )
    limit = data_kib * 1024 + memory_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    return prepare(job).shape.rows


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    rows, width = 200_000, 40
    path = tmp_path / "wide.parquet"
    names = [f"n{number}" for number in range(width)]
    schema = pa.schema([*((name, pa.float64()) for name in names), ("y", pa.float64())])
    random = np.random.default_rng(0)
    with pq.ParquetWriter(path, schema) as writer:
        for _ in range(10):
            columns = random.normal(size=(width + 1, rows // 10))
            writer.write_table(pa.table(dict(zip(schema.names, columns, strict=True)), schema))
    job = PrepareJob(
        search="s",
        dataset_uri=str(path),
        columns=tuple(ColumnInfo(name, "NUMBER", rows, has_missing=False) for name in names),
        target_column="y",
        task="regression",
        classes=(),
        folds=5,
        seed=0,
        directory=str(tmp_path / "data"),
    )
    # X alone takes 32 MB and the table 66 MB: holding either fails.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_prepare_within, (job, 25_000_000)) == rows
