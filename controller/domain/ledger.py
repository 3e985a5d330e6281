"""The ledger: which of the trials that wait may start now, and what the others wait for. Pure.

It keeps nothing: from the nodes and the claims of all searches it works out an allotment, the same
every time. Ray holds the memory; the ledger decides who asks Ray for it, so that no trial and no
search starves.

Laws
- What is placed on a node never exceeds the node; what a namespace holds never exceeds its quota.
- A trial that waits is taken in turn: those that waited past `PATIENCE_SECONDS` first, then the
  search that holds the fewest lanes, then the one that waits longest.
- A lane is a place that a search holds: a running trial, or a granted one that has a place. A trial
  may be granted behind a lane of its own search that is large enough, one behind each: the lane's
  worker then takes it over at once. Only running trials keep their places: a granted one that did
  not start gives way like one that waits.
- The first trial of a search that cannot be placed gets the room that comes free earliest on some
  node (head-of-line reservation). Others may pass it only where they do not delay it (backfill).
  It holds back its own search always; another search when that one has two lanes more, or has some
  and this one none, or when it is out of patience.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from controller.domain.admission import NodeCapacity, format_bytes
from controller.domain.records import Quota

PATIENCE_SECONDS = 30.0
"""A trial that waited longer goes before all others."""
_LEAST_LEFT_SECONDS = 1.0
_OVERDUE_SHARE = 0.25
"""A trial that runs longer than predicted is taken to need this share of its time so far again."""


class Standing(StrEnum):
    """Where a claim stands.

    RUNNING: it holds its place. ASKING: Ray gives it a place by itself as soon as there is room, so
    room is kept for it. GRANTED: it may start. WAITING: it wants to be granted.
    """

    RUNNING = "RUNNING"
    ASKING = "ASKING"
    GRANTED = "GRANTED"
    WAITING = "WAITING"


@dataclass(frozen=True)
class Need:
    """What is to be held."""

    memory_bytes: int
    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True)
class Claim:
    """Somebody holds something or wants to.

    owner: unique. group: the search, by name. namespace: whose quota counts. seconds: predicted
    length. since: when it started, was granted or began to wait. most_lanes: lanes that the group
    may have, None for no limit.
    """

    owner: str
    group: str
    namespace: str
    need: Need
    standing: Standing
    since: float
    seconds: float = math.inf
    most_lanes: int | None = None


@dataclass(frozen=True)
class Allotment:
    """granted: owners that waited and may start now, in order. waits: why each of the others may
    not, in one sentence. lanes: places by group, those just granted included.
    """

    granted: tuple[str, ...]
    waits: Mapping[str, str]
    lanes: Mapping[str, int]


@dataclass(frozen=True)
class Statistics:
    """The ledger at one moment. capacity, held: by what is placed on nodes; free: the rest."""

    capacity: Need
    held: Need
    free: Need
    running: int
    granted: int
    waiting: int


@dataclass
class _Place:
    """A claim on a node, and when the place is predicted to come free."""

    claim: Claim
    ends_at: float
    has_successor: bool = False


@dataclass
class _Node:
    capacity: NodeCapacity
    places: list[_Place] = field(default_factory=list)

    def free(self, at: float = -math.inf) -> Need:
        """What nothing holds at a time; what was placed beyond the node counts below 0."""
        held = [place.claim.need for place in self.places if place.ends_at > at]
        return Need(
            self.capacity.memory_bytes - sum(need.memory_bytes for need in held),
            self.capacity.cpus - sum(need.cpus for need in held),
            self.capacity.gpus - sum(need.gpus for need in held),
        )

    def fits_at(self, need: Need) -> float:
        """The earliest time at which `need` is free; infinite when that never comes."""
        for at in sorted({-math.inf, *(place.ends_at for place in self.places)}):
            if at < math.inf and _fits(need, self.free(at)):
                return at
        return math.inf


@dataclass(frozen=True)
class _Head:
    """A trial that is to be placed on `node` at `at`."""

    claim: Claim
    node: _Node
    at: float


def allot(
    nodes: Sequence[NodeCapacity],
    claims: Iterable[Claim],
    now: float,
    quotas: Mapping[str, Quota] | None = None,
) -> Allotment:
    """Decides about every claim that waits."""
    table = _Table(nodes, claims, now, quotas or {})
    table.serve()
    return Allotment(tuple(table.granted), table.waits, dict(table.lanes))


def statistics(nodes: Sequence[NodeCapacity], claims: Iterable[Claim], now: float) -> Statistics:
    """What is held and what is free."""
    listed = list(claims)
    table = _Table(nodes, (c for c in listed if c.standing is not Standing.WAITING), now, {})
    table.serve()
    counts = Counter(claim.standing for claim in listed)
    capacity = _total(Need(node.memory_bytes, node.cpus, node.gpus) for node in nodes)
    held = _total(place.claim.need for node in table.nodes for place in node.places)
    return Statistics(
        capacity=capacity,
        held=held,
        free=Need(
            capacity.memory_bytes - held.memory_bytes,
            capacity.cpus - held.cpus,
            capacity.gpus - held.gpus,
        ),
        running=counts[Standing.RUNNING],
        granted=counts[Standing.GRANTED],
        waiting=counts[Standing.WAITING],
    )


class _Table:
    """The nodes with what is on them, while the waiting claims are served one after the other."""

    def __init__(
        self,
        nodes: Sequence[NodeCapacity],
        claims: Iterable[Claim],
        now: float,
        quotas: Mapping[str, Quota],
    ) -> None:
        self.nodes = [_Node(node) for node in nodes]
        self.granted: list[str] = []
        self.waits: dict[str, str] = {}
        self._now = now
        self._quotas = quotas
        self._heads: list[_Head] = []
        self.lanes: Counter[str] = Counter()
        self._waiting: list[Claim] = []
        by_standing: dict[Standing, list[Claim]] = {standing: [] for standing in Standing}
        for claim in claims:
            by_standing[claim.standing].append(claim)
        # Large ones first: best fit then finds a packing where one is known to exist.
        for claim in sorted(by_standing[Standing.RUNNING], key=_by_size):
            self._put(self._best_fit(claim) or self._roomiest(), claim)
        for claim in sorted(by_standing[Standing.ASKING], key=_by_age):
            node = self._best_fit(claim)
            if node is not None:
                self._put(node, claim)
            else:
                self._queue(claim)
        self._waiting = by_standing[Standing.GRANTED] + by_standing[Standing.WAITING]

    def serve(self) -> None:
        """Takes the claims that hold nothing yet in turn. One that was granted stays so; without a
        place its search may not start it (`Allotment.lanes`).
        """
        while self._waiting:
            claim = min(self._waiting, key=self._turn)
            self._waiting.remove(claim)
            refusal = self._try_grant(claim)
            if claim.standing is Standing.GRANTED:
                continue
            if refusal is None:
                self.granted.append(claim.owner)
            else:
                self.waits[claim.owner] = refusal

    def _turn(self, claim: Claim) -> tuple[bool, int, bool, float, str]:
        is_new = claim.standing is Standing.WAITING
        return not self._is_impatient(claim), self.lanes[claim.group], is_new, *_by_age(claim)

    def _is_impatient(self, claim: Claim) -> bool:
        is_granted = claim.standing is Standing.GRANTED
        return not is_granted and self._now - claim.since > PATIENCE_SECONDS

    def _try_grant(self, claim: Claim) -> str | None:
        """Places the claim or says why not."""
        is_full = claim.most_lanes is not None and self.lanes[claim.group] >= claim.most_lanes
        over_quota = self._over_quota(claim)
        if not is_full and not over_quota:
            node = self._best_fit(claim)
            if node is not None:
                self._put(node, claim)
                return None
        if self._try_follow(claim):
            return None
        if is_full:
            return f"the search runs at most {claim.most_lanes} trials at once"
        return over_quota or self._queue(claim)

    def _best_fit(self, claim: Claim) -> _Node | None:
        """The node with the least memory left over that has room and delays no head."""
        end = self._now + claim.seconds
        fitting = [
            node
            for node in self.nodes
            if _fits(claim.need, node.free()) and not self._delays(claim, node, end)
        ]
        return min(fitting, key=lambda node: node.free().memory_bytes, default=None)

    def _try_follow(self, claim: Claim) -> bool:
        """Grants the claim behind a lane of its own search; not where a head waits: the claim would
        take over whichever lane comes free first, and that may be the head's.
        """
        for node in self.nodes:
            heads = [head.claim for head in self._heads if head.node is node]
            if any(self._holds_back(head, claim) for head in heads):
                continue
            for place in node.places:
                if _can_follow(claim, place):
                    place.has_successor = True
                    place.ends_at += claim.seconds
                    return True
        return False

    def _delays(self, claim: Claim, node: _Node, end: float) -> bool:
        """A head that may hold this claim back would find less than it needs at its time."""
        return any(
            head.node is node
            and end > head.at
            and self._holds_back(head.claim, claim)
            and not _fits(_sum(head.claim.need, claim.need), node.free(head.at))
            for head in self._heads
        )

    def _holds_back(self, head: Claim, claim: Claim) -> bool:
        if head.group == claim.group or self._is_impatient(head):
            return True
        own, others = self.lanes[head.group], self.lanes[claim.group]
        return others > own + 1 or (own == 0 and others > 0)

    def _queue(self, claim: Claim) -> str:
        """Says for what the claim waits; reserves the room for it when it is its search's first."""
        need = format_bytes(claim.need.memory_bytes)
        times = [(node.fits_at(claim.need), index) for index, node in enumerate(self.nodes)]
        at, index = min(times, default=(math.inf, -1))
        if at == math.inf:
            return f"{need} and {claim.need.cpus:g} CPUs, which no node has free at present"
        node = self.nodes[index]
        ahead = next((head for head in self._heads if head.node is node), None)
        if all(head.claim.group != claim.group for head in self._heads):
            self._heads.append(_Head(claim, node, at))
        where = f" on node {node.capacity.name[:8]}" if node.capacity.name else ""
        holders = len([place for place in node.places if place.ends_at < math.inf])
        if ahead is not None and at <= self._now:
            trial, search = ahead.claim.owner.rpartition("/")[2], ahead.claim.group
            return f"its turn{where}: trial {trial} of {search} waits longer"
        return (
            f"{need}{where}, where {holders} trials hold the room; it is expected in "
            f"{max(0.0, at - self._now):.0f} s"
        )

    def _put(self, node: _Node | None, claim: Claim) -> None:
        if node is not None:
            node.places.append(_Place(claim, self._end(claim)))
            self.lanes[claim.group] += 1

    def _end(self, claim: Claim) -> float:
        if claim.standing is not Standing.RUNNING:
            return self._now + claim.seconds
        end = claim.since + claim.seconds
        if end > self._now:
            return end
        return self._now + max(_LEAST_LEFT_SECONDS, _OVERDUE_SHARE * (self._now - claim.since))

    def _roomiest(self) -> _Node | None:
        """Where a running claim is taken to be that fits nowhere: a node has shrunk."""
        return max(self.nodes, key=lambda node: node.free().memory_bytes, default=None)

    def _over_quota(self, claim: Claim) -> str:
        """What of the namespace's quota is used up; empty when nothing is."""
        quota = self._quotas.get(claim.namespace)
        if quota is None:
            return ""
        held = _total(
            place.claim.need
            for node in self.nodes
            for place in node.places
            if place.claim.namespace == claim.namespace
        )
        after = _sum(held, claim.need)
        whose = f"the quota of namespace {claim.namespace!r}"
        if quota.memory_bytes is not None and after.memory_bytes > quota.memory_bytes:
            held_text, most = format_bytes(held.memory_bytes), format_bytes(quota.memory_bytes)
            return f"{whose}: {held_text} of {most} memory are held"
        if quota.cpus is not None and after.cpus > quota.cpus:
            return f"{whose}: {held.cpus:g} of {quota.cpus:g} CPUs are held"
        if quota.gpus is not None and after.gpus > quota.gpus:
            return f"{whose}: {held.gpus:g} of {quota.gpus:g} GPUs are held"
        return ""


def _can_follow(claim: Claim, place: _Place) -> bool:
    return (
        place.claim.group == claim.group
        and not place.has_successor
        and place.ends_at < math.inf
        and _fits(claim.need, place.claim.need)
    )


def _fits(need: Need, free: Need) -> bool:
    # Fractions of GPUs add up with rounding errors.
    return (
        need.memory_bytes <= free.memory_bytes
        and need.cpus <= free.cpus + 1e-9
        and need.gpus <= free.gpus + 1e-9
    )


def _sum(one: Need, other: Need) -> Need:
    return Need(one.memory_bytes + other.memory_bytes, one.cpus + other.cpus, one.gpus + other.gpus)


def _total(needs: Iterable[Need]) -> Need:
    total = Need(0, 0.0, 0.0)
    for need in needs:
        total = _sum(total, need)
    return total


def _by_age(claim: Claim) -> tuple[float, str]:
    return claim.since, claim.owner


def _by_size(claim: Claim) -> tuple[int, float, str]:
    return -claim.need.memory_bytes, *_by_age(claim)
