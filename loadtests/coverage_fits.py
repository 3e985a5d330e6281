"""Real fits of real tables in the real sandbox, for `loadtests.coverage`: drawn, run, written down.

A table goes the way of a search: the reader types and profiles it, `make_plan` settles folds and
classes, the gate's shape is what predictions see, `workers.data.prepare` encodes it and
`workers.trial.fit` fits, both in children of one `Sandbox`. Every fit runs far below its limit, so
that its true peak is known: what a policy would have given it is replayed afterwards.
"""

from __future__ import annotations

import csv
import json
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from controller.domain import sampling
from controller.domain.plan import make_plan
from controller.domain.records import Dataset, Plan, SearchSpec, Task
from controller.reader.read import read_table
from controller.reader.request import ReadRequest, TableFormat
from controller.service.catalog import FamilyCatalog
from controller.service.shape import column_infos, data_shape
from workers.families.base import DataShape
from workers.families.registry import FAMILIES
from workers.sandbox.sandbox import Sandbox
from workers.trial.job import FitJob, Outcome, PrepareJob, SandboxLimits

FIT_BYTES = 6 << 30
"""What a measured fit may hold: far above any here."""
PREPARE_SECONDS = 600.0
LARGE_BYTES = 100_000_000
CATALOG = FamilyCatalog(FAMILIES)


@dataclass(frozen=True)
class Fit:
    """One fit as measured. shape: JSON of the `DataShape` that the gate sees. kind: of the outcome.
    predicted_bytes: by the formulas of that day; a replay predicts anew.
    """

    table: str
    family: str
    origin: str
    parameters: str
    shape: str
    seed: int
    cpus: int
    kind: str
    peak_bytes: int
    cpu_seconds: float
    wall_seconds: float
    model_bytes: int
    predict_seconds: float
    predicted_bytes: int

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration."""
        return dict(json.loads(self.parameters))

    @property
    def data_shape(self) -> DataShape:
        """The shape; fields that this version does not know are left out."""
        stored = json.loads(self.shape)
        known = {each.name for each in fields(DataShape)}
        values = {name: value for name, value in stored.items() if name in known}
        sizes = tuple(values.get("category_sizes", ()))
        return DataShape(**{**values, "category_sizes": sizes})


@dataclass(frozen=True)
class Table:
    """A table that is ready to be fitted. directory: its prepared data."""

    name: str
    plan: Plan
    shape: DataShape
    directory: str


@dataclass(frozen=True)
class Wanted:
    """A fit to be made."""

    table: Table
    family: str
    origin: str
    parameters: dict[str, Any]
    seed: int
    cpus: int


def prepared(data: Path, names: Sequence[str], sandbox: Sandbox, scratch: Path) -> list[Table]:
    """The tables `NAME.csv` or `NAME.csv.gz` with `NAME.meta.json` of a directory, all when no
    names are given. Raises: RuntimeError when one cannot be prepared.
    """
    known = sorted(path.name.removesuffix(".meta.json") for path in data.glob("*.meta.json"))
    return [_table(data, name, sandbox, scratch) for name in names or known]


def _table(data: Path, name: str, sandbox: Sandbox, scratch: Path) -> Table:
    meta = json.loads((data / f"{name}.meta.json").read_text())
    path = next(each for each in sorted(data.glob(f"{name}.csv*")) if each.is_file())
    stored = scratch / f"{name}.parquet"
    request = ReadRequest(
        str(path), path.name, TableFormat.UNSPECIFIED, str(stored), str(scratch), 1 << 40
    )
    read = read_table(request)
    name_in_store = f"namespaces/default/datasets/{name.replace('_', '-')}"
    dataset = Dataset(
        name_in_store, path.name, read.format, read.rows, read.columns, (), str(stored),
        stored.stat().st_size, 0.0,
    )  # fmt: skip
    target = meta["target"]
    spec = SearchSpec(name_in_store, target, task=Task(meta["task"].upper()))
    plan = make_plan(dataset, spec)
    directory = str(scratch / name)
    job = PrepareJob(
        search=name, dataset_uri=str(stored), columns=column_infos(dataset, plan),
        target_column=target, task=plan.task.lower(), classes=plan.classes, folds=plan.folds,
        seed=1, directory=directory,
    )  # fmt: skip
    outcome = sandbox.run(
        "workers.data.prepare:prepare", job, SandboxLimits(FIT_BYTES, PREPARE_SECONDS), name
    )
    if outcome.kind != "OK":
        raise RuntimeError(f"{name} cannot be prepared: {outcome.kind} {outcome.message}")
    return Table(name, plan, data_shape(dataset, plan), directory)


def stream(tables: Sequence[Table], fits: int, seed: int, seconds: float) -> list[Wanted]:
    """`fits` fits over all tables and families in seeded random order: portfolios and draws from
    the default space, half of them predicted to need `LARGE_BYTES` or more as far as a table has
    such. Left out are those that are predicted to take longer than `seconds` on their cores: they
    might be ended by their time limit and say nothing of memory.
    """
    source = random.Random(seed)
    each = -(-fits // len(tables))
    chosen: list[Wanted] = []
    for index, table in enumerate(tables):
        large: list[Wanted] = []
        small: list[Wanted] = []
        for one in _candidates(table, 40 * each, seed * 1009 + index, source):
            told = CATALOG.predict(one.family, table.shape, one.parameters, one.cpus)
            if told.cpu_seconds <= seconds * one.cpus:
                (large if told.peak_memory_bytes >= LARGE_BYTES else small).append(one)
        source.shuffle(large)
        source.shuffle(small)
        some = large[: each // 2]
        chosen += some + small[: each - len(some)]
    source.shuffle(chosen)
    return chosen[:fits]


def _candidates(table: Table, draws: int, seed: int, source: random.Random) -> Iterator[Wanted]:
    space = CATALOG.space_of(SearchSpec("", ""))
    found = [
        (family, "DEFAULT", each)
        for family in CATALOG.declarations
        for each in CATALOG.portfolio(family, table.shape)
    ]
    found += [
        (family, "SAMPLED", each)
        for family, each in sampling.draw(space, CATALOG.declarations, draws, seed)
    ]
    for family, origin, parameters in found:
        yield Wanted(
            table, family, origin, parameters, source.randrange(2**31), source.choice((1, 2))
        )


def measured(wanted: Wanted, sandbox: Sandbox, seconds: float) -> Fit:
    """Runs one fit. Blocks."""
    table = wanted.table
    job = FitJob(
        table.name, 1, 1, wanted.family, wanted.parameters, wanted.seed, table.plan.metric,
        wanted.cpus, table.directory,
    )  # fmt: skip
    has_backstop = FAMILIES[wanted.family].tolerates_failed_malloc
    limits = SandboxLimits(FIT_BYTES, seconds, wanted.cpus, has_backstop)
    outcome: Outcome = sandbox.run("workers.trial.fit:fit", job, limits, table.name)
    cost = FAMILIES[wanted.family].cost(table.shape, wanted.parameters, wanted.cpus)
    return Fit(
        table=table.name,
        family=wanted.family,
        origin=wanted.origin,
        parameters=json.dumps(wanted.parameters),
        shape=json.dumps(asdict(table.shape)),
        seed=wanted.seed,
        cpus=wanted.cpus,
        kind=outcome.kind,
        peak_bytes=outcome.peak_memory_bytes,
        cpu_seconds=round(outcome.cpu_seconds, 3),
        wall_seconds=round(outcome.wall_seconds, 3),
        model_bytes=outcome.value.model_bytes if outcome.value else 0,
        predict_seconds=outcome.value.predict_seconds if outcome.value else 0.0,
        predicted_bytes=cost.peak_memory_bytes,
    )


@dataclass(frozen=True)
class Pace:
    """fit_seconds: time limit of a fit. minutes: no fit begins after these. at_once: fits."""

    fit_seconds: float
    minutes: float
    at_once: int


def measure_all(
    wanted: Sequence[Wanted], sandbox: Sandbox, pace: Pace, out: Path | None
) -> list[Fit]:
    """Runs the stream; rows are in its order and written at once."""
    until = time.monotonic() + 60 * pace.minutes

    def one_more(one: Wanted) -> Fit | None:
        if time.monotonic() > until:
            return None
        return measured(one, sandbox, pace.fit_seconds)

    found: list[Fit] = []
    with ThreadPoolExecutor(pace.at_once) as pool:
        for fit in pool.map(one_more, wanted):
            if fit is None:
                continue
            found.append(fit)
            if out is not None:
                _append(out, fit, is_first=len(found) == 1)
            _print(fit, len(found), len(wanted))
    return found


def _print(fit: Fit, number: int, count: int) -> None:
    ratio = fit.predicted_bytes / max(1, fit.peak_bytes)
    print(
        f"{number:>4}/{count} {fit.table:20}{fit.family:24}{fit.kind:16}"
        f"{fit.peak_bytes / 1e6:>8.1f} MB  predicted/actual {ratio:>6.2f}"
        f"{fit.wall_seconds:>7.1f} s",
        flush=True,
    )


def _append(path: Path, fit: Fit, *, is_first: bool) -> None:
    with path.open("w" if is_first else "a", newline="") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(Fit)])
        if is_first:
            writer.writeheader()
        writer.writerow(asdict(fit))


def read_fits(path: Path) -> list[Fit]:
    """What `measure_all` wrote. Raises: ValueError for a file that it did not write."""
    kinds: dict[str, type] = {"int": int, "float": float, "str": str}
    with path.open(newline="") as file:
        return [
            Fit(**{each.name: kinds[str(each.type)](row[each.name]) for each in fields(Fit)})
            for row in csv.DictReader(file)
        ]
