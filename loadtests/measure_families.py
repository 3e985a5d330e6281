"""Measures what families really need and prints it beside what they predict: `make bench`.

One child process a measurement, forked from a server that has the libraries loaded, as the
sandbox does it. The child copies one fold's rows from a memory-mapped table, fits, predicts, saves;
its parent samples anonymous memory (resident less shared, /proc/PID/statm) every millisecond.
Tables are synthetic, with 10 % label noise.

    python -m loadtests.measure_families [--family NAME] [--cpus N] [--quick]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl

from workers.families.base import Cost, DataShape, Family, FeatureInfo, Value
from workers.families.registry import FAMILIES, family

MIB = 1024 * 1024
PRELOAD = [
    "numpy",
    "joblib",
    "threadpoolctl",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.impute",
    "sklearn.linear_model",
    "sklearn.neighbors",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "xgboost",
]


@dataclass(frozen=True)
class Table:
    """A synthetic table: the first `categorical` features hold `levels` category codes each."""

    name: str
    rows: int
    features: int
    classes: int = 2
    categorical: int = 0
    levels: int = 0
    is_missing: bool = False

    def shape(self) -> DataShape:
        """What the cost formulas see: five folds, of which one is measured."""
        return DataShape(
            rows=self.rows,
            train_rows=self.rows - self.rows // 5,
            validation_rows=self.rows // 5,
            features=self.features,
            categorical_features=self.categorical,
            category_levels=self.categorical * self.levels,
            classes=self.classes,
            folds=1,
            cells_missing=self.is_missing,
        )

    def feature_info(self, cpus: int) -> FeatureInfo:
        """What `Family.fit` is told about the columns."""
        task = {0: "regression", 2: "binary"}.get(self.classes, "multiclass")
        numeric = self.features - self.categorical
        categorical = [self.levels] * self.categorical + [0] * numeric
        return FeatureInfo(categorical, task, self.classes, cpus, self.is_missing)

    def make(self, seed: int = 0) -> tuple[Any, Any]:
        """X: (rows, features) float32, y: (rows,) int32 or float64."""
        random = np.random.default_rng(seed)
        X = random.standard_normal((self.rows, self.features), dtype=np.float32)
        codes = random.integers(0, max(1, self.levels), size=(self.rows, self.categorical))
        X[:, : self.categorical] = codes
        signal = np.zeros(self.rows)
        for column in range(min(self.features, 10)):
            part = X[:, column] - X[:, column].mean()
            signal += np.sin(part * (1 + column / 3)) + part * X[:, -1 - column] / 4
        if self.is_missing:
            X[random.random(X.shape) < 0.05] = np.nan
        if self.classes == 0:
            return X, signal + random.normal(scale=0.3, size=self.rows)
        edges = np.quantile(signal, np.linspace(0, 1, self.classes + 1)[1:-1])
        y = np.searchsorted(edges, signal).astype(np.int32)
        is_noise = random.random(self.rows) < 0.1
        y[is_noise] = random.integers(0, self.classes, size=int(is_noise.sum()))
        return X, y


@dataclass(frozen=True)
class Measured:
    """What one fold needed. Units as in `workers.families.base.Cost`."""

    peak_memory_bytes: int
    cpu_seconds: float
    model_bytes: int
    predict_seconds: float


TABLES = (
    Table("small", 1000, 10),
    Table("base", 20_000, 20),
    Table("long", 100_000, 20),
    Table("wide", 10_000, 200),
    Table("classes", 20_000, 20, classes=8),
    Table("numbers", 20_000, 20, classes=0),
    Table("categories", 20_000, 24, categorical=12, levels=40),
    Table("missing", 20_000, 30, categorical=5, levels=10, is_missing=True),
    Table("levels", 20_000, 12, categorical=8, levels=200, classes=3),
)


class Bench:
    """A fork server with the libraries loaded, and a directory for tables and models."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)

    def measure(
        self, table: Table, model: Family, parameters: dict[str, Value], cpus: int
    ) -> Measured:
        """Fits once in a child. Raises: RuntimeError when the child fails. Blocks."""
        matrix, target = self._written(table)
        ours, theirs = self._context.Pipe()
        job = (matrix, target, table, model.name, parameters, cpus, str(self.directory))
        child = self._context.Process(target=_fit_once, args=(theirs, *job))
        child.start()
        theirs.close()
        assert child.pid is not None
        try:
            base = int(ours.recv())
            ours.send("go")
            peak = base
            while not ours.poll(0.001):
                peak = max(peak, _anonymous_bytes(child.pid))
            cpu_seconds, model_bytes, predict_seconds = ours.recv()
        except EOFError:
            child.join()
            raise RuntimeError(f"{model.name} on {table.name}: exit {child.exitcode}") from None
        child.join()
        return Measured(peak - base, cpu_seconds, model_bytes, predict_seconds)

    def _written(self, table: Table) -> tuple[str, str]:
        matrix = self.directory / f"{table.name}.X.npy"
        target = self.directory / f"{table.name}.y.npy"
        if not target.exists():
            X, y = table.make()
            np.save(matrix, X)
            np.save(target, y)
        return str(matrix), str(target)


def main() -> None:
    """Prints a row for every portfolio configuration of every family on every table."""
    options = _options()
    # Threads that spin while they wait cost 2 to 4 times the CPU on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    print(
        f"{'family':24}{'table':12}{'#':>2}{'predicted':>11}{'measured':>10}{'p/m':>6}"
        f"{'cpu s':>8}{'p/m':>6}{'model':>9}{'p/m':>6}{'ms/row':>8}{'p/m':>6}  largest terms (MiB)"
    )
    names: Sequence[str] = [options.family] if options.family else list(FAMILIES)
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        for name, table, number, parameters in _cases(names, options.quick):
            cost = family(name).cost(table.shape(), parameters, options.cpus)
            measured = bench.measure(table, family(name), parameters, options.cpus)
            print(_row(name, table, number, cost, measured), flush=True)


def _cases(
    names: Sequence[str], is_quick: bool
) -> Iterator[tuple[str, Table, int, dict[str, Value]]]:
    for name in names:
        for table in TABLES:
            configurations = family(name).portfolio(table.shape())
            for number, parameters in enumerate(configurations[: 1 if is_quick else None]):
                yield name, table, number, parameters


def _row(name: str, table: Table, number: int, cost: Cost, measured: Measured) -> str:
    predicted = cost.peak_memory_bytes
    terms = sorted(cost.memory_terms.items(), key=lambda term: -term[1])[:3]
    pairs = (
        (cost.cpu_seconds, measured.cpu_seconds),
        (cost.model_bytes / MIB, measured.model_bytes / MIB),
        (cost.predict_seconds * 1e3, measured.predict_seconds * 1e3),
    )
    columns = "".join(f"{real:>{w}.2f}{guess / real:>6.2f}" for (guess, real), w in zip(
        pairs, (8, 9, 8), strict=True))  # fmt: skip
    return (
        f"{name:24}{table.name:12}{number:>2}{predicted / MIB:>11.1f}"
        f"{measured.peak_memory_bytes / MIB:>10.1f}"
        f"{predicted / max(1, measured.peak_memory_bytes):>6.2f}{columns}  "
        + ", ".join(f"{term} {value / MIB:.1f}" for term, value in terms)
    )


def _fit_once(
    pipe: Any,
    matrix: str,
    target: str,
    table: Table,
    name: str,
    parameters: dict[str, Value],
    cpus: int,
    directory: str,
) -> None:
    """The child: copy a fold's rows, fit, predict the others, save; sends what it took."""
    model = family(name)
    X, y = np.load(matrix, mmap_mode="r"), np.load(target)
    is_training = np.arange(len(y)) % 5 != 0
    pipe.send(_anonymous_bytes(os.getpid()))
    pipe.recv()
    threadpoolctl.threadpool_limits(limits=cpus)
    start = _cpu_seconds()
    rows = X[np.flatnonzero(is_training)]
    fitted = model.fit(table.feature_info(cpus), parameters, rows, y[is_training], None, 1)
    del rows
    rest = X[np.flatnonzero(~is_training)]
    model.predict(fitted, rest)
    cpu_seconds = _cpu_seconds() - start
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        model.save(fitted, Path(folder))
        model_bytes = sum(path.stat().st_size for path in Path(folder).iterdir())
    times = []
    for row in range(20):
        begin = time.perf_counter()
        model.predict(fitted, rest[row : row + 1])
        times.append(time.perf_counter() - begin)
    pipe.send((cpu_seconds, model_bytes, sorted(times)[len(times) // 2]))


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _anonymous_bytes(pid: int) -> int:
    """Resident less shared pages of a process, in bytes; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--family", choices=list(FAMILIES), help="only this family")
    parser.add_argument("--cpus", type=int, default=2, help="threads of a fit, default 2")
    parser.add_argument("--quick", action="store_true", help="only the default configurations")
    return parser.parse_args()


if __name__ == "__main__":
    main()
