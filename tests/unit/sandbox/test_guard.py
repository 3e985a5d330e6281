"""The node guard: whom it ends, when, and never two at once; then with real children."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from workers.node.budget import guard_threshold_bytes
from workers.node.machine import NodeMemory
from workers.sandbox.guard import LONGEST_SECONDS, SHORTEST_SECONDS, NodeGuard, furthest_over
from workers.sandbox.sandbox import Sandbox
from workers.trial.job import SandboxLimits

MIB = 1 << 20
GIB = 1 << 30
TOTAL = 2 * GIB
LOW = guard_threshold_bytes(TOTAL) - 1


@dataclass
class Fake:
    """Memory of a node whose free part is set by the test."""

    left: int = GIB

    def total_bytes(self) -> int:
        return TOTAL

    def available_bytes(self) -> int:
        return self.left


@dataclass
class Child:
    used_bytes: int
    reserved_bytes: int
    verdicts: list[str] = field(default_factory=list)

    @property
    def is_ending(self) -> bool:
        return bool(self.verdicts)

    def end(self, verdict: str, note: str = "") -> None:
        self.verdicts.append(f"{verdict}: {note}")


def test_the_one_furthest_over_its_reservation_is_chosen() -> None:
    roomy, tight, over = (
        Child(900 * MIB, GIB),
        Child(99 * MIB, 100 * MIB),
        Child(101 * MIB, 100 * MIB),
    )
    assert furthest_over([roomy, tight, over]) is over
    assert furthest_over([roomy, tight]) is tight
    assert furthest_over([Child(15 * MIB, 0), roomy]) is roomy  # too small to win anything
    assert furthest_over([Child(0, 0)]) is None


def test_one_ends_below_the_threshold_and_none_above() -> None:
    memory, child = Fake(LOW + 1), Child(100 * MIB, 200 * MIB)
    guard = NodeGuard(memory)
    assert guard.look([child], 1.0) == SHORTEST_SECONDS
    assert child.verdicts == []
    assert not guard.was_low
    memory.left = LOW
    guard.look([child], 2.0)
    assert child.verdicts == [f"NODE: {LOW >> 20} MiB were left on the node"]


def test_never_two_before_the_memory_of_the_first_is_back() -> None:
    memory, first, second = Fake(LOW), Child(300 * MIB, 100 * MIB), Child(200 * MIB, 100 * MIB)
    guard = NodeGuard(memory)
    for now in (1.0, 2.0, 3.0):
        guard.look([first, second], now)
    assert (len(first.verdicts), len(second.verdicts)) == (1, 0)
    guard.look([second], 4.0)  # the first is gone, and still there is too little
    assert len(second.verdicts) == 1


def test_a_child_that_the_watchdog_ended_counts_as_the_first() -> None:
    guard = NodeGuard(Fake(LOW))
    dying, other = Child(300 * MIB, 100 * MIB, ["MEMORY_EXCEEDED"]), Child(200 * MIB, 300 * MIB)
    guard.look([dying, other], 1.0)
    assert other.verdicts == []


def test_it_looks_more_often_the_less_is_left() -> None:
    memory = Fake(TOTAL)
    guard = NodeGuard(memory)
    assert guard.look([], 1.0) == LONGEST_SECONDS
    memory.left = LOW
    child = Child(100 * MIB, MIB)
    assert guard.look([child], 1.1) == pytest.approx(LONGEST_SECONDS - 0.1)  # not yet
    assert child.verdicts == []
    assert guard.look([child], 1.3) == SHORTEST_SECONDS


def test_a_low_reading_is_remembered_for_a_moment() -> None:
    guard = NodeGuard(Fake(LOW))
    guard.look([], time.monotonic())
    assert guard.was_low


class Draining(NodeMemory):
    """The memory of this node, but too little while all of some processes are there."""

    def __init__(self) -> None:
        super().__init__()
        self.holders: list[int] = []

    def available_bytes(self) -> int:
        there = [pid for pid in self.holders if Path(f"/proc/{pid}/exe").exists()]
        is_low = bool(there) and len(there) == len(self.holders)
        return MIB if is_low else super().available_bytes()


@pytest.fixture
def draining() -> Draining:
    return Draining()


@pytest.fixture
def guarded(tmp_path: Path, draining: Draining) -> Iterator[Sandbox]:
    with Sandbox((), tmp_path / "guarded", memory=draining) as sandbox:
        yield sandbox


def test_an_innocent_child_is_lost_and_its_neighbour_goes_on(
    guarded: Sandbox, draining: Draining, tmp_path: Path, limits: SandboxLimits
) -> None:
    job = "loadtests.fault_jobs:touch_and_wait"
    fifos = {"tight": tmp_path / "1", "roomy": tmp_path / "2"}
    sizes = {"tight": 200 * MIB, "roomy": 100 * MIB}
    for fifo in fifos.values():
        os.mkfifo(fifo)
    with ThreadPoolExecutor() as pool:
        runs = {
            name: pool.submit(guarded.run, job, (sizes[name], str(fifo)), limits, name)
            for name, fifo in fifos.items()
        }
        read: Callable[[Path], int] = lambda fifo: int(fifo.read_text())  # noqa: E731
        draining.holders = [read(fifo) for fifo in fifos.values()]
        outcome = runs["tight"].result()
        assert (outcome.kind, outcome.evidence) == ("LOST", "node")
        assert "1 MiB were left on the node" in outcome.message
        assert "of the 256 MiB held for it" in outcome.message
        assert not runs["roomy"].done()
        assert guarded.running_count == 1
        assert 99 * MIB < guarded.used_bytes < 120 * MIB
        guarded.cancel("roomy")
        assert runs["roomy"].result().kind == "CANCELLED"


def test_a_kill_from_outside_while_memory_is_low_is_the_nodes(
    guarded: Sandbox, draining: Draining, limits: SandboxLimits
) -> None:
    """The kernel's own kill, when it was faster: nothing else can have meant it."""
    draining.holders = [os.getpid()]
    outcome = guarded.run("sandbox_targets:burn_and_kill_oneself", None, limits, "k")
    assert (outcome.kind, outcome.evidence) == ("LOST", "node")
