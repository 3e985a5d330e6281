"""The stores that must pass the suite, and builders of records to put into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.adapters.sql_store import SqlStore
from controller.domain.records import (
    Dataset,
    Decision,
    Origin,
    Prediction,
    Reason,
    Trial,
    Verdict,
)
from controller.domain.states import TrialState
from controller.ports.store import Store

MakeDataset = Callable[..., Dataset]
MakeTrial = Callable[..., Trial]


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'store.db'}" if request.param == "file" else "sqlite://"
    store = SqlStore(url)
    yield store
    store.close()


@pytest.fixture
def make_dataset() -> MakeDataset:
    def make(dataset_id: str, namespace: str = "default", rows: int = 3) -> Dataset:
        name = f"namespaces/{namespace}/datasets/{dataset_id}"
        return Dataset(name, "t.csv", "CSV", rows, (), (), "file:///t", 10, 1.5)

    return make


@pytest.fixture
def make_trial() -> MakeTrial:
    def make(
        number: int,
        search: str = "namespaces/default/searches/s",
        state: TrialState = TrialState.ADMITTED,
        reason: Reason | None = None,
    ) -> Trial:
        decision = Decision.ADMITTED if reason is None else Decision.REJECTED
        verdict = Verdict(decision, Prediction({"copy": 8}, 1.0, 2, 0.1), 12, "fits", reason)
        return Trial(
            name=f"{search}/trials/{number}",
            search=search,
            number=number,
            candidate_id=f"c{number}",
            family="linear",
            parameters={"C": 1.0},
            seed=1,
            origin=Origin.DEFAULT,
            state=state,
            verdict=verdict,
            created_at=2.0,
        )

    return make
