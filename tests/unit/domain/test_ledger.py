"""The ledger: who may start, in which order, and that nobody starves."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.domain.admission import NodeCapacity
from controller.domain.ledger import (
    PATIENCE_SECONDS,
    Claim,
    Need,
    Standing,
    allot,
    statistics,
)
from controller.domain.records import Quota

GIB = 1 << 30
NODE = NodeCapacity(4 * GIB, 4.0, name="n1")


def claim(
    owner: str,
    group: str = "a",
    *,
    gib: float = 1.0,
    cpus: float = 1.0,
    since: float = 0.0,
    seconds: float = 10.0,
    standing: Standing = Standing.WAITING,
    most_lanes: int | None = None,
) -> Claim:
    need = Need(int(gib * GIB), cpus)
    return Claim(owner, group, "default", need, standing, since, seconds, most_lanes)


def running(owner: str, group: str = "a", **changes: float) -> Claim:
    return claim(owner, group, standing=Standing.RUNNING, **changes)  # type: ignore[arg-type]


def test_what_fits_is_granted_oldest_first() -> None:
    waiting = [claim("c", since=2.0), claim("a", since=0.0), claim("b", since=1.0)]
    assert allot([NODE], waiting, 5.0).granted == ("a", "b", "c")


def test_nothing_is_placed_beyond_a_node() -> None:
    waiting = [claim(str(i), f"s{i}", gib=1.5) for i in range(5)]
    told = allot([NODE], waiting, 0.0)
    assert len(told.granted) == 2
    assert len(told.waits) == 3
    assert "1.5 GiB on node n1, where 2 trials hold the room" in told.waits["2"]


def test_cpus_and_gpus_count_too() -> None:
    node = NodeCapacity(64 * GIB, 2.0, 0.5)
    assert len(allot([node], [claim(str(i), f"s{i}") for i in range(3)], 0.0).granted) == 2
    with_gpu = [replace(claim(str(i), f"s{i}"), need=Need(GIB, 0.1, 0.25)) for i in range(3)]
    assert len(allot([node], with_gpu, 0.0).granted) == 2


def test_a_trial_is_granted_behind_a_lane_of_its_own_search_one_behind_each() -> None:
    busy = [running("r1", gib=2.0), running("r2", gib=2.0)]
    told = allot([NODE], [*busy, *(claim(f"w{i}", since=float(i)) for i in range(3))], 1.0)
    assert told.granted == ("w0", "w1")
    assert set(told.waits) == {"w2"}


def test_a_larger_trial_is_not_granted_behind_a_smaller_lane() -> None:
    told = allot([NODE], [running("r", gib=3.0), claim("w", gib=3.5)], 1.0)
    assert told.granted == ()
    assert "expected in 9 s" in told.waits["w"]


def test_a_search_without_a_lane_is_not_starved_by_one_that_has_all() -> None:
    """The other search's workers are not handed on: its trials wait until the room is given."""
    busy = [running("a1", "a", gib=2.0), running("a2", "a", gib=2.0)]
    waiting = [claim("a3", "a", gib=2.0, since=0.0), claim("b1", "b", gib=2.0, since=1.0)]
    told = allot([NODE], [*busy, *waiting], 2.0)
    assert told.granted == ()
    assert set(told.waits) == {"a3", "b1"}
    after = allot([NODE], [busy[0], *waiting], 3.0)
    assert after.granted[0] == "b1"


def test_granted_trials_give_way_until_they_run() -> None:
    """The other search's trials were granted first; only what runs keeps its place."""
    busy = running("a1", "a", gib=2.0)
    ready = [claim(f"a{i}", "a", gib=2.0, standing=Standing.GRANTED) for i in (2, 3)]
    told = allot([NODE], [busy, *ready, claim("b1", "b", gib=2.0, since=1.0)], 2.0)
    assert told.granted == ("b1",)
    assert told.lanes == {"a": 1, "b": 1}


def test_searches_with_equal_lanes_keep_them() -> None:
    busy = [running("a1", "a", gib=2.0), running("b1", "b", gib=2.0)]
    waiting = [claim("a2", "a", gib=2.0), claim("b2", "b", gib=2.0)]
    assert set(allot([NODE], [*busy, *waiting], 2.0).granted) == {"a2", "b2"}


def test_a_large_trial_holds_back_its_own_search_but_for_what_ends_in_time() -> None:
    busy = [running("r1", gib=2.0, seconds=10.0)]
    large = claim("large", gib=4.0, since=1.0)
    quick, slow = claim("quick", since=2.0, seconds=5.0), claim("slow", since=2.0, seconds=50.0)
    told = allot([NODE], [*busy, large, quick, slow], 2.0)
    assert told.granted == ("quick",)
    assert set(told.waits) == {"large", "slow"}


def test_out_of_patience_a_trial_holds_back_every_search() -> None:
    busy = [running("a1", "a", gib=2.0, since=80.0), running("b1", "b", gib=1.0, since=80.0)]
    large = claim("b2", "b", gib=4.0, since=70.0)
    small = claim("a2", "a", gib=1.0, since=99.0, seconds=60.0)
    assert allot([NODE], [*busy, large, small], 100.0).granted == ("a2",)
    later = 71.0 + PATIENCE_SECONDS
    assert allot([NODE], [*busy, large, small], later).granted == ()


def test_a_quota_is_never_exceeded_and_says_so() -> None:
    quotas = {"default": Quota(memory_bytes=2 * GIB)}
    told = allot([NODE], [claim(f"w{i}", f"s{i}") for i in range(3)], 0.0, quotas)
    assert len(told.granted) == 2
    assert "quota of namespace 'default': 2 GiB of 2 GiB memory" in told.waits["w2"]


def test_a_search_holds_no_more_lanes_than_it_allows() -> None:
    told = allot([NODE], [claim(f"w{i}", most_lanes=1, since=float(i)) for i in range(3)], 9.0)
    assert told.granted == ("w0", "w1")  # one to run, one behind it
    assert told.waits["w2"] == "the search runs at most 1 trials at once"


def test_what_no_node_could_hold_waits_and_says_so() -> None:
    told = allot([NODE], [claim("w", gib=5.0)], 0.0)
    assert "which no node has free" in told.waits["w"]
    assert allot([], [claim("w")], 0.0).granted == ()


def test_the_fullest_node_that_has_room_is_taken() -> None:
    nodes = [NodeCapacity(8 * GIB, 8.0), NodeCapacity(2 * GIB, 8.0)]
    told = allot(nodes, [claim("small", gib=2.0), claim("large", "b", gib=8.0, since=1.0)], 2.0)
    assert told.granted == ("small", "large")


class Life(RuleBasedStateMachine):
    """Two nodes, three searches, trials that come, run and end, in any order."""

    nodes = (NodeCapacity(4 * GIB, 4.0), NodeCapacity(2 * GIB, 2.0))

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.count = 0
        self.claims: dict[str, Claim] = {}

    def step(self) -> None:
        told = allot(self.nodes, self.claims.values(), self.now)
        waiting = {o for o, c in self.claims.items() if c.standing is Standing.WAITING}
        assert set(told.granted) | set(told.waits) == waiting
        assert not set(told.granted) & set(told.waits)
        assert allot(self.nodes, self.claims.values(), self.now) == told  # idempotent
        for owner in told.granted:
            self.claims[owner] = replace(self.claims[owner], standing=Standing.GRANTED)

    @rule(
        group=st.sampled_from("abc"),
        gib=st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]),
        seconds=st.sampled_from([0.5, 5.0, 60.0]),
    )
    def propose(self, group: str, gib: float, seconds: float) -> None:
        owner = f"{group}{self.count}"
        self.count += 1
        self.claims[owner] = claim(owner, group, gib=gib, seconds=seconds, since=self.now)
        self.step()

    @precondition(lambda self: self.startable())
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        owner = data.draw(st.sampled_from(self.startable()))
        self.claims[owner] = replace(self.claims[owner], standing=Standing.RUNNING, since=self.now)
        self.step()

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        del self.claims[data.draw(st.sampled_from(self.running()))]
        self.step()

    @rule(seconds=st.sampled_from([0.1, 3.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.step()

    def running(self) -> list[str]:
        return [o for o, c in self.claims.items() if c.standing is Standing.RUNNING]

    def startable(self) -> list[str]:
        """Granted ones that Ray has room for: it is Ray that starts them, in any order."""
        held = statistics(self.nodes, map(self._as_held, self.running()), self.now)
        return [
            owner
            for owner, c in self.claims.items()
            if c.standing is Standing.GRANTED
            and c.need.memory_bytes <= held.free.memory_bytes
            and c.need.cpus <= held.free.cpus
            and self._packs([*self.running(), owner])
        ]

    def _as_held(self, owner: str) -> Claim:
        return self.claims[owner]

    def _packs(self, owners: list[str]) -> bool:
        """Whether they can be on the nodes together."""
        waiting = [replace(self.claims[o], standing=Standing.WAITING, group=o) for o in owners]
        return len(allot(self.nodes, waiting, self.now).granted) == len(owners)

    @invariant()
    def held_and_free_are_the_capacity(self) -> None:
        told = statistics(self.nodes, self.claims.values(), self.now)
        assert told.held.memory_bytes + told.free.memory_bytes == told.capacity.memory_bytes
        assert math.isclose(told.held.cpus + told.free.cpus, told.capacity.cpus)
        assert told.free.memory_bytes >= 0

    def teardown(self) -> None:
        """Nobody starves: when what runs ends and nothing comes, everybody starts in the end."""
        for _ in range(4 * self.count + 4):
            self.now += 5.0
            self.step()
            for owner in self.startable()[:1]:
                self.claims[owner] = replace(
                    self.claims[owner], standing=Standing.RUNNING, since=self.now
                )
            for owner in self.running()[:1]:
                del self.claims[owner]
        assert not self.claims


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


@given(st.integers(0, 40), st.sampled_from([0.5, 2.0, 4.0]))
@settings(max_examples=30, deadline=None)
def test_a_stream_of_small_trials_of_another_search_does_not_starve_a_trial(
    ahead: int, gib: float
) -> None:
    """Search a keeps both lanes busy for ever; search b's one trial starts all the same."""
    node = NodeCapacity(4 * GIB, 2.0)
    now = 0.0
    lanes = [running("a0", "a", since=0.0), running("a1", "a", since=0.0)]
    pending = [claim(f"w{i}", "a", since=-1.0) for i in range(ahead)]
    wanted = claim("b", "b", gib=gib, since=0.0)
    for round_ in range(60):
        now += 10.0
        told = allot([node], [*lanes, *pending, wanted], now)
        if "b" in told.granted and len(lanes) < 2:
            return
        granted = [each for each in pending if each.owner in told.granted]
        pending = [each for each in pending if each.owner not in told.granted]
        pending += [claim(f"n{round_}-{i}", "a", since=now) for i in range(3)]
        starting = [replace(each, standing=Standing.RUNNING, since=now) for each in granted]
        lanes = [*lanes[1:], *starting][:2]
    raise AssertionError("it never started")
