"""The candidate thread is put together from what the session says: seeds, direction, defaults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.api.convert_space import space_to_proto
from controller.domain.records import SearchSpec
from controller.service.catalog import FamilyCatalog
from headgate.v1 import search_pb2, trial_pb2
from tests.unit.driver.fake_controller import SEARCH, TOKEN, FakeController, serving
from workers.driver.assignment import Assignment
from workers.driver.board import Board
from workers.driver.candidates import Candidates
from workers.driver.control import Control, Directive
from workers.driver.controller_client import ControllerClient
from workers.driver.leaderboard import Leaderboard
from workers.driver.packer import TaskPacker
from workers.driver.space import Configuration
from workers.driver.spool import Spool, TrialEvent
from workers.driver.task import Reservation, Task, Workplace
from workers.driver.wiring import make_candidates
from workers.families.base import DataShape
from workers.families.registry import FAMILIES
from workers.trial.job import PrepareJob, SandboxLimits

SHAPE = DataShape(
    rows=1000, train_rows=800, validation_rows=200, features=8, categorical_features=2,
    category_levels=9, classes=2, folds=5, cells_missing=True,
)  # fmt: skip
NAMES = ("linear", "knn", "xgboost")
DEFAULT = trial_pb2.CANDIDATE_ORIGIN_DEFAULT


def fake_search(seed: int = 5, cpus: int = 1, **space: Any) -> FakeController:
    """A session of a search over three families."""
    default = FamilyCatalog(FAMILIES).space_of(SearchSpec("d", "y"))
    fake = FakeController(space=space_to_proto(default))
    fake.opened.space.MergeFrom(search_pb2.SearchSpace(**space))
    fake.opened.slots = 4
    fake.spec.families.extend(NAMES)
    fake.spec.seed = seed
    fake.spec.limits.cpus_per_trial = cpus
    return fake


@contextmanager
def wired(fake: FakeController) -> Iterator[tuple[Candidates, Board, Control]]:
    """The candidates as a driver makes them, not running."""
    with serving(fake) as address:
        client, control = ControllerClient(address, TOKEN), Control()
        opened = client.open_session(SEARCH, "d1")
        control.start(opened.search.spec, opened.directive)
        board = Board(control, opened.slots)
        assignment = Assignment(opened, Path("/work"))
        leaderboard = Leaderboard(opened.search.is_metric_maximized)
        made = make_candidates(assignment, SHAPE, board, leaderboard, client, control)
        try:
            yield made, board, control
        finally:
            client.close()


def proposals(fake: FakeController, count: int) -> list[trial_pb2.Trial]:
    """The first trials that such a search asks for; the gate admits all of them."""
    fake.spec.budget.max_trials = count
    with wired(fake) as (candidates, board, control):
        thread = control.spawn("candidates", candidates.run)
        number = 0
        while len(fake.trials) < count or board.statistics().waiting:
            assert control.wait_for(lambda: board.statistics().waiting > 0, 20)
            assert board.take(f"t{number}") is not None
            board.leave(f"t{number}")
            number += 1
            if len(fake.trials) >= count:
                break
        control.apply(Directive(mode=Directive.CANCEL))
        thread.join(20)
    return fake.trials[:count]


def test_the_strong_defaults_of_each_family_come_first_the_cheapest_before() -> None:
    first = proposals(fake_search(), 3)
    assert {trial.family for trial in first} == set(NAMES)
    assert all(trial.origin == DEFAULT for trial in first)

    def cpu_seconds(name: str) -> float:
        family = FAMILIES[name]
        return family.cost(SHAPE, family.portfolio(SHAPE)[0], 1).cpu_seconds

    assert [trial.family for trial in first] == sorted(NAMES, key=cpu_seconds)


def test_what_a_person_pinned_comes_before_them() -> None:
    pinned = search_pb2.PinnedConfiguration(family="knn")
    pinned.parameters.update({"n_neighbors": 17})
    first = proposals(fake_search(pinned=[pinned]), 2)
    assert first[0].family == "knn"
    assert first[0].parameters["n_neighbors"] == 17
    assert first[0].origin == trial_pb2.CANDIDATE_ORIGIN_PINNED
    assert first[1].origin == DEFAULT


@pytest.mark.parametrize(("seed", "fits"), [(5, 5), (2**31 + 5, 5), (0, 0)])
def test_every_fit_has_the_seed_of_the_search(seed: int, fits: int) -> None:
    assert [trial.seed for trial in proposals(fake_search(seed), 3)] == [fits] * 3


def test_the_sampler_has_the_seed_of_the_search() -> None:
    def sampled(seed: int) -> list[str]:
        with wired(fake_search(seed)) as (candidates, _, _):
            study = candidates._study
            study._queue.clear()  # no defaults
            found = [study.propose() for _ in range(3)]
            return [each.configuration.key for each in found if each is not None]

    assert sampled(5) == sampled(5)
    assert sampled(5) != sampled(6)
    assert sampled(5) != sampled(2**31 + 5)


@pytest.mark.parametrize("is_maximized", [True, False])
def test_the_sampler_has_the_direction_of_the_metric(is_maximized: bool) -> None:
    fake = fake_search()
    fake.opened.search.is_metric_maximized = is_maximized
    with wired(fake) as (candidates, _, _):
        assert candidates._study._is_maximized is is_maximized


# What an attempt takes along


@pytest.mark.parametrize("name", list(FAMILIES))
@pytest.mark.parametrize("has_backstop", [True, False])
def test_a_fit_has_the_backstop_its_family_stands(name: str, has_backstop: bool) -> None:
    prepare = PrepareJob(SEARCH, "file:///t", (), "y", "binary", ("a", "b"), 5, 0, "/data")
    place = Workplace("/work", prepare, SandboxLimits(1 << 20, 1.0), lambda *_: None)
    task = Task(3, 2, Configuration(name, {"C": 1}), 9, Reservation(2, 0.0, 1 << 28), has_backstop)
    packed = TaskPacker(SEARCH, "f1", place, Control())(task)
    stands = FAMILIES[name].tolerates_failed_malloc
    assert packed.limits.has_backstop is (has_backstop and stands)
    assert (packed.limits.memory_bytes, packed.limits.cpus) == (1 << 28, 2)
    job = packed.job
    assert (job.search, job.number, job.attempt, job.family) == (SEARCH, 3, 2, name)
    assert (job.parameters, job.seed, job.metric, job.cpus) == ({"C": 1}, 9, "f1", 2)
    assert job.directory == "/data"


def test_a_family_that_crashes_on_refused_memory_has_no_backstop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FAMILIES["knn"], "tolerates_failed_malloc", False, raising=False)
    test_a_fit_has_the_backstop_its_family_stands("knn", True)


def test_an_event_is_on_the_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path / "events.jsonl")
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        assert len(spool._events) == len(synced)  # not yet among those that are sent
        synced.append(descriptor)

    monkeypatch.setattr("os.fsync", fsync)
    for number in range(3):
        spool.append(TrialEvent(number=number, attempt=1))
        assert len(synced) == number + 1
        assert synced[-1] == spool._file.fileno()
    spool.close()
