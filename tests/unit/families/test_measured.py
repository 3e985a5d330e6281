"""Predicted peaks bracket what a child process really held, for every family."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.measure_families import MIB, Bench, Table
from workers.families.base import Family
from workers.families.configurations import variation
from workers.families.registry import FAMILIES

TABLES = (
    Table("long", 12_000, 20),
    Table("mixed", 4000, 40, classes=3, categorical=10, levels=30, is_missing=True),
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(Path(tmp_path_factory.mktemp("measured")))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("model", FAMILIES.values(), ids=lambda model: model.name)
def test_predicted_memory_brackets_the_measured_peak(
    bench: Bench, model: Family, table: Table
) -> None:
    parameters = variation(model.parameters)
    cost = model.cost(table.shape(), parameters, 1)
    measured = bench.measure(table, model, parameters, 1)
    assert measured.peak_memory_bytes > MIB, "the child did hold something"
    assert measured.peak_memory_bytes <= 1.5 * cost.peak_memory_bytes + 32 * MIB
    assert cost.peak_memory_bytes <= 5 * measured.peak_memory_bytes + 64 * MIB
    assert cost.model_bytes / 8 <= measured.model_bytes <= 3 * cost.model_bytes
