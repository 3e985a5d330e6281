"""The gate: may a candidate start, and with which reservation. Pure.

The bound that is compared with memory limits is `controller.domain.calibration`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from controller.domain.calibration import Bound, Bounds
from controller.domain.records import (
    Decision,
    Limits,
    Prediction,
    Quota,
    Reason,
    Reservation,
    Verdict,
)

GPU_SAFETY = 1.25
"""Times the predicted GPU memory is what must fit: its formulas were never measured."""
SIZE_STEP_BYTES = 64 << 20
"""Reservation sizes are multiples of this, unless a limit cuts them."""
SIZE_RATIO, MOST_SIZES = 1.5, 12
"""Reservation sizes of a search: each so many times the next smaller; how many there are at most.
An actor is used again for a trial of the same size only."""
TIME_LOWER_SHARE = 0.3
"""A fit is refused for time only when this share of its predicted CPU time does not fit: the
constants of CPU time are noisy by about that factor."""


@dataclass(frozen=True)
class Ask:
    """What a trial of this search asks for beside memory."""

    cpus: int = 1
    gpus: float = 0.0


@dataclass(frozen=True)
class NodeCapacity:
    """What one node has for trials. name: Ray's id of it, for people. gpu_memory_bytes: of one of
    its GPUs, 0 when that is not known.
    """

    memory_bytes: int
    cpus: float
    gpus: float = 0.0
    name: str = ""
    gpu_memory_bytes: int = 0


@dataclass(frozen=True)
class Capacity:
    """What the cluster's nodes have for trials, everything else taken off."""

    nodes: tuple[NodeCapacity, ...]

    def less(self, memory_bytes: int) -> Capacity:
        """With so much less on every node."""
        return Capacity(
            tuple(
                replace(node, memory_bytes=max(0, node.memory_bytes - memory_bytes))
                for node in self.nodes
            )
        )

    def gpu_memory_bytes(self, ask: Ask) -> int:
        """Of the largest GPU of a node that has the CPUs and GPUs; 0 when that is not known."""
        nodes = [n for n in self.nodes if n.cpus >= ask.cpus and n.gpus >= ask.gpus]
        return max((n.gpu_memory_bytes for n in nodes), default=0)

    def largest_memory_bytes(self, ask: Ask) -> int | None:
        """The most memory of a node that has the CPUs and GPUs; None when no node has them."""
        sizes = [n.memory_bytes for n in self.nodes if n.cpus >= ask.cpus and n.gpus >= ask.gpus]
        return max(sizes, default=None)

    def slots(self, ask: Ask, memory_bytes: int) -> int:
        """Trials of `memory_bytes` that fit at once."""
        return sum(self._slots_of(node, ask, memory_bytes) for node in self.nodes)

    @staticmethod
    def _slots_of(node: NodeCapacity, ask: Ask, memory_bytes: int) -> int:
        slots = [int(node.cpus // ask.cpus), node.memory_bytes // max(1, memory_bytes)]
        if ask.gpus:
            slots.append(int(node.gpus // ask.gpus))
        return max(0, min(slots))


@dataclass(frozen=True)
class Terms:
    """Everything a decision depends on beside the candidate. capacity: None when not known;
    remaining_seconds: None without a time budget; sizes_bytes: the search's reservation sizes;
    quota: of the search's namespace.
    """

    ask: Ask
    limits: Limits
    capacity: Capacity | None = None
    remaining_seconds: float | None = None
    sizes_bytes: tuple[int, ...] = ()
    bounds: Bounds = field(default_factory=Bounds)
    quota: Quota = field(default_factory=Quota)


@dataclass(frozen=True)
class _Shortfall:
    reason: Reason
    demand: float
    limit: float
    unit: str
    text: str


def memory_cap_bytes(terms: Terms) -> int | None:
    """The most memory that a trial may get; None when nothing limits it that is known."""
    node = terms.capacity.largest_memory_bytes(terms.ask) if terms.capacity else None
    limits = (terms.limits.memory_per_trial_bytes, node, terms.quota.memory_bytes)
    known = [b for b in limits if b is not None]
    return min(known, default=None)


def decide(
    family: str,
    prediction: Prediction,
    terms: Terms,
    lighter: Iterable[tuple[Mapping[str, Any], Prediction]] = (),
) -> Verdict:
    """Admits or rejects one candidate.

    lighter: changes of the configuration with their predictions, nearest first; they are looked at
    only after a rejection, and the first that fits is `fits_with`.
    """
    upper = terms.bounds.upper(family, prediction)
    bound = upper.bytes
    shortfall = _shortfall(prediction, upper, terms)
    if shortfall is None:
        gpus = _reserved_gpus(prediction, terms)
        reservation = Reservation(terms.ask.cpus, gpus, _reserved_bytes(bound, terms))
        got = format_bytes(reservation.memory_bytes)
        message = f"needs {format_bytes(bound)} with safety, gets {got}"
        return Verdict(
            Decision.ADMITTED,
            prediction,
            bound,
            message,
            reservation=reservation,
            calibration=upper.calibration,
        )
    fitting = (c for c, p in lighter if not _shortfall(p, terms.bounds.upper(family, p), terms))
    found = next(fitting, None)
    change = None if found is None else dict(found)
    return Verdict(
        Decision.REJECTED,
        prediction,
        bound,
        f"{shortfall.text}; {_remedy(change)}",
        reason=shortfall.reason,
        limit=shortfall.limit,
        demand=shortfall.demand,
        limit_unit=shortfall.unit,
        fits_with=change,
        calibration=upper.calibration,
    )


def _remedy(change: Mapping[str, Any] | None) -> str:
    if change is None:
        return "no lighter variant of it fits"
    return "would fit with " + ", ".join(f"{name}={value}" for name, value in change.items())


def _shortfall(prediction: Prediction, upper: Bound, terms: Terms) -> _Shortfall | None:
    """The first limit that the candidate does not hold to."""
    return (
        _resource_shortfall(terms)
        or _quota_shortfall(terms)
        or _memory_shortfall(prediction, upper, terms)
        or _gpu_shortfall(prediction, terms)
        or _time_shortfall(prediction, terms)
        or _model_shortfall(prediction, terms.limits)
    )


def _resource_shortfall(terms: Terms) -> _Shortfall | None:
    if terms.capacity is None or terms.capacity.largest_memory_bytes(terms.ask) is not None:
        return None
    ask = terms.ask
    most_cpus = max((n.cpus for n in terms.capacity.nodes), default=0.0)
    most_gpus = max((n.gpus for n in terms.capacity.nodes), default=0.0)
    if ask.gpus > most_gpus:
        text = f"asks for {ask.gpus:g} GPUs and the largest node has {most_gpus:g}"
        return _Shortfall(Reason.NO_SUCH_RESOURCE, ask.gpus, most_gpus, "gpus", text)
    text = f"asks for {ask.cpus} CPUs and the largest node that could take it has {most_cpus:g}"
    return _Shortfall(Reason.NO_SUCH_RESOURCE, ask.cpus, most_cpus, "cpus", text)


def _quota_shortfall(terms: Terms) -> _Shortfall | None:
    """Cores and GPUs that the namespace may never hold at once."""
    for wanted, most, unit in (
        (float(terms.ask.cpus), terms.quota.cpus, "cpus"),
        (terms.ask.gpus, terms.quota.gpus, "gpus"),
    ):
        if most is not None and wanted > most:
            text = f"asks for {wanted:g} {unit} and the namespace may hold {most:g}"
            return _Shortfall(Reason.EXCEEDS_QUOTA, wanted, most, unit, text)
    return None


def _gpu_shortfall(prediction: Prediction, terms: Terms) -> _Shortfall | None:
    has, needed = _gpu_bytes(terms), GPU_SAFETY * prediction.gpu_memory_bytes
    if not has or needed <= has:
        return None
    text = (
        f"needs {format_bytes(needed)} of GPU memory with safety, more than the "
        f"{format_bytes(has)} of {terms.ask.gpus:g} GPUs"
    )
    return _Shortfall(Reason.EXCEEDS_GPU_MEMORY, needed, has, "bytes", text)


def _gpu_bytes(terms: Terms) -> float:
    """GPU memory that one trial may use; 0 when not known."""
    device = terms.capacity.gpu_memory_bytes(terms.ask) if terms.capacity else 0
    return terms.ask.gpus * device


def _reserved_gpus(prediction: Prediction, terms: Terms) -> float:
    """Of what the search allows one trial, the share of a GPU that its memory needs, in hundredths;
    all of it where the memory is not known or several GPUs are asked for.
    """
    has = _gpu_bytes(terms)
    if not has or not prediction.gpu_memory_bytes or terms.ask.gpus > 1:
        return terms.ask.gpus
    share = GPU_SAFETY * prediction.gpu_memory_bytes / has * terms.ask.gpus
    return min(terms.ask.gpus, math.ceil(100 * share) / 100)


def _memory_shortfall(prediction: Prediction, upper: Bound, terms: Terms) -> _Shortfall | None:
    bound, cap = upper.bytes, memory_cap_bytes(terms)
    if cap is None or bound <= cap:
        return None
    reason, whose = Reason.EXCEEDS_NODE_MEMORY, "the largest node has for trials"
    if cap == terms.limits.memory_per_trial_bytes:
        reason, whose = Reason.EXCEEDS_TRIAL_LIMIT, "one trial may use"
    elif cap == terms.quota.memory_bytes:
        reason, whose = Reason.EXCEEDS_QUOTA, "the namespace may hold at once"
    peak = format_bytes(prediction.peak_memory_bytes)
    text = (
        f"needs {format_bytes(bound)} ({peak} predicted, "
        f"x{upper.calibration.factor:.3g} for safety), "
        f"more than the {format_bytes(cap)} that {whose}"
    )
    return _Shortfall(reason, bound, cap, "bytes", text)


def _time_shortfall(prediction: Prediction, terms: Terms) -> _Shortfall | None:
    lower = TIME_LOWER_SHARE * prediction.cpu_seconds / terms.ask.cpus
    own, left = terms.limits.time_per_trial_seconds, terms.remaining_seconds
    limit = min((s for s in (own, left) if s is not None), default=None)
    if limit is None or lower <= limit:
        return None
    whose = "that one trial may take" if limit == own else "left of the budget"
    text = f"needs at least {lower:.3g} s, more than the {max(0.0, limit):.3g} s {whose}"
    return _Shortfall(Reason.EXCEEDS_TIME_BUDGET, lower, limit, "seconds", text)


def _model_shortfall(prediction: Prediction, limits: Limits) -> _Shortfall | None:
    most = limits.max_model_bytes
    if most is not None and prediction.model_bytes > most:
        text = (
            f"its model would take {format_bytes(prediction.model_bytes)} of {format_bytes(most)}"
        )
        return _Shortfall(Reason.EXCEEDS_MODEL_SIZE, prediction.model_bytes, most, "bytes", text)
    longest = limits.max_predict_seconds
    if longest is not None and prediction.predict_seconds > longest:
        text = f"would predict a row in {prediction.predict_seconds:.3g} s, above {longest:.3g} s"
        return _Shortfall(
            Reason.EXCEEDS_PREDICT_LATENCY, prediction.predict_seconds, longest, "seconds", text
        )
    return None


def _reserved_bytes(bound: int, terms: Terms) -> int:
    """The smallest size that holds the bound; the cap (or the bound) when none does."""
    size = next((size for size in sorted(terms.sizes_bytes) if size >= bound), None)
    if size is not None:
        return size
    cap = memory_cap_bytes(terms)
    return _rounded(bound) if cap is None else cap


def reservation_sizes(bounds: Sequence[int], cap_bytes: int | None) -> tuple[int, ...]:
    """At most `MOST_SIZES` sizes, ascending, for candidates with these bounds.

    From the largest bound that the cap allows, with a tenth more for candidates nobody has drawn,
    each 1.5 times the next smaller one, down to the smallest bound; rounded up to 64 MiB, none over
    the cap. With three sizes (the median, the 90th percentile, the largest) fits of 100 MB and more
    were given 8 times what they held in the median of 113 measured fits, with these 1.6 times.
    Empty when no bound fits.
    """
    fitting = sorted(b for b in bounds if cap_bytes is None or b <= cap_bytes)
    if not fitting:
        return ()
    wanted = [fitting[-1] * 11 / 10]
    while len(wanted) < MOST_SIZES and wanted[-1] > max(fitting[0], SIZE_STEP_BYTES):
        wanted.append(wanted[-1] / SIZE_RATIO)
    rounded = (_rounded(math.ceil(size)) for size in wanted)
    return tuple(sorted({size if cap_bytes is None else min(size, cap_bytes) for size in rounded}))


def _rounded(size: int) -> int:
    return -(-size // SIZE_STEP_BYTES) * SIZE_STEP_BYTES


def format_bytes(size: float) -> str:
    """For people: `96 MiB`, `1.5 GiB`."""
    for unit, step in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= step:
            return (
                f"{size / step:.3g} {unit}" if size < 999.5 * step else f"{size / step:.0f} {unit}"
            )
    return f"{size:.0f} B"
