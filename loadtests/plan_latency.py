"""Measures how long `PlanSearch` takes for profiled tables, over the API, all families.

    python -m loadtests.plan_latency [--repeats N]

Prints, for tables of several shapes against a pretended cluster with little and with enough memory,
the share that fits and the median and longest call in milliseconds, with the machine's load. The
records of the tables are made up: a plan reads the profile, never the rows. Exits with 1 when a
call took longer than 5 s.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import headgate
from controller.domain.records import Column, ColumnKind, Dataset, ValueCount
from controller.in_process import InProcessController
from controller.ports.cluster import Node
from headgate.client import Client

LONGEST_SECONDS = 5.0
"""What a user is promised."""
SHAPES = ((1_000, 10, 0), (200_000, 100, 0), (1_000_000, 200, 20))
"""Rows, columns of numbers, columns of 50 categories."""
MEMORIES = (256 << 20, 2 << 30, 64 << 30)
"""What a node has for trials, in bytes."""


def table(name: str, rows: int, numbers: int, categories: int) -> Dataset:
    """The record of a table with a binary target `y`."""
    half = rows // 2
    columns = (
        *(Column(f"x{i}", ColumnKind.NUMBER, 0, rows) for i in range(numbers)),
        *(Column(f"c{i}", ColumnKind.CATEGORY, 0, 50) for i in range(categories)),
        Column("y", ColumnKind.CATEGORY, 0, 2, top_values=(
            ValueCount("no", rows - half), ValueCount("yes", half),
        )),
    )  # fmt: skip
    source = f"{name}.csv"
    return Dataset(
        f"namespaces/default/datasets/{name}", source, "CSV", rows, columns, (), f"file:///{source}",
        1, time.time(),
    )  # fmt: skip


def measured(client: Client, dataset: str, repeats: int) -> tuple[float, list[float]]:
    """The share that fits, and the seconds of each call."""
    taken, share = [], 0.0
    for seed in range(repeats):
        began = time.perf_counter()
        plan = client.plan(dataset, "y", time_seconds=600, seed=seed)
        taken.append(time.perf_counter() - began)
        share = plan.feasible_share
    return share, taken


def main() -> None:
    """Plans every table on every cluster."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats
    print(f"load average before: {os.getloadavg()[0]:.2f}")
    print(f"{'rows':>9} {'columns':>7} {'node':>8} {'fits':>6} {'median':>9} {'longest':>9}")
    longest = 0.0
    with (
        tempfile.TemporaryDirectory() as directory,
        InProcessController(Path(directory) / "controller") as controller,
        headgate.connect(controller.address) as client,
    ):
        for index, shape in enumerate(SHAPES):
            with controller.store.transaction() as tx:
                name = tx.put(table(f"t{index}", *shape)).name
            for memory in MEMORIES:
                controller.cluster_view.saw((Node("n", 16.0, 0.0, memory),))
                share, taken = measured(client, name, repeats)
                longest = max(longest, *taken)
                print(
                    f"{shape[0]:>9} {shape[1] + shape[2]:>7} {memory >> 20:>4} MiB {share:>6.1%} "
                    f"{statistics.median(taken) * 1e3:>6.0f} ms {max(taken) * 1e3:>6.0f} ms"
                )
    print(f"load average after: {os.getloadavg()[0]:.2f}")
    sys.exit(longest > LONGEST_SECONDS)


if __name__ == "__main__":
    main()
