"""The gate's decisions: limits, reasons, reservations, what would fit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from controller.domain.admission import (
    MOST_SIZES,
    Ask,
    Capacity,
    NodeCapacity,
    Terms,
    decide,
    format_bytes,
    reservation_sizes,
)
from controller.domain.calibration import Bound, Bounds
from controller.domain.records import (
    BoundSource,
    Calibration,
    Decision,
    Limits,
    Prediction,
    Quota,
    Reason,
    Reservation,
)

MIB = 1 << 20
GIB = 1 << 30
FLOOR_BYTES = 32 * MIB


def bound_bytes(prediction: Prediction, factor: float = 1.5) -> int:
    return int(factor * prediction.peak_memory_bytes) + FLOOR_BYTES


class Plain(Bounds):
    """Half as much again, and 32 MiB: figures that a test can tell in its head."""

    def upper(self, family: str, prediction: Prediction) -> Bound:
        calibration = Calibration(1.5, 0.98, 0, BoundSource.PRIOR)
        return Bound(bound_bytes(prediction), calibration)


def needs(mib: int, **changes: object) -> Prediction:
    base = Prediction({"data": mib * MIB}, cpu_seconds=1.0, model_bytes=10, predict_seconds=1e-4)
    return replace(base, **changes)  # type: ignore[arg-type]


TERMS_NODES = (NodeCapacity(GIB, 4), NodeCapacity(2 * GIB, 2))
TERMS = Terms(
    Ask(), Limits(), Capacity(TERMS_NODES), 100.0,
    (256 * MIB, 512 * MIB, 2 * GIB), Plain(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("mib", "reserved"), [(1, 256), (149, 256), (150, 512), (320, 512), (321, 2048), (1300, 2048)]
)
def test_the_smallest_size_that_holds_the_bound(mib: int, reserved: int) -> None:
    verdict = decide("f", needs(mib), TERMS)
    assert verdict.decision is Decision.ADMITTED
    assert verdict.reservation == Reservation(1, 0.0, reserved * MIB)
    assert (verdict.reason, verdict.limit, verdict.demand) == (None, None, None)


def test_exactly_the_limit_fits_and_one_byte_more_does_not() -> None:
    limit = bound_bytes(needs(100), 1.5)
    terms = replace(TERMS, limits=Limits(memory_per_trial_bytes=limit))
    assert decide("f", needs(100), terms).decision is Decision.ADMITTED
    terms = replace(TERMS, limits=Limits(memory_per_trial_bytes=limit - 1))
    verdict = decide("f", needs(100), terms)
    assert (verdict.decision, verdict.reason) == (Decision.REJECTED, Reason.EXCEEDS_TRIAL_LIMIT)
    assert (verdict.demand, verdict.limit, verdict.limit_unit) == (limit, limit - 1, "bytes")
    assert verdict.reservation is None


def test_the_node_is_the_limit_when_the_search_has_none_or_a_larger_one() -> None:
    for limits in (Limits(), Limits(memory_per_trial_bytes=8 * GIB)):
        verdict = decide("f", needs(2000), replace(TERMS, limits=limits))
        assert verdict.reason is Reason.EXCEEDS_NODE_MEMORY
        assert verdict.limit == 2 * GIB


def test_only_nodes_with_the_cpus_count() -> None:
    verdict = decide("f", needs(900), replace(TERMS, ask=Ask(cpus=4)))
    assert (verdict.reason, verdict.limit) == (Reason.EXCEEDS_NODE_MEMORY, GIB)


@pytest.mark.parametrize(
    ("ask", "demand", "limit", "unit"),
    [(Ask(cpus=5), 5, 4, "cpus"), (Ask(gpus=1), 1, 0, "gpus")],
)
def test_no_such_resource(ask: Ask, demand: float, limit: float, unit: str) -> None:
    verdict = decide("f", needs(1), replace(TERMS, ask=ask))
    assert verdict.reason is Reason.NO_SUCH_RESOURCE
    assert (verdict.demand, verdict.limit, verdict.limit_unit) == (demand, limit, unit)


def test_nothing_is_known_of_the_cluster() -> None:
    terms = Terms(Ask(cpus=64), Limits(), bounds=Plain())
    verdict = decide("f", needs(5000), terms)
    assert verdict.decision is Decision.ADMITTED
    assert verdict.reservation is not None
    assert verdict.reservation.memory_bytes == 7552 * MIB  # 7532 rounded up to 64


def test_time_is_refused_only_by_the_lower_estimate() -> None:
    assert decide("f", needs(1, cpu_seconds=333.0), TERMS).decision is Decision.ADMITTED
    verdict = decide("f", needs(1, cpu_seconds=334.0), TERMS)
    assert (verdict.reason, verdict.limit_unit) == (Reason.EXCEEDS_TIME_BUDGET, "seconds")
    assert verdict.demand == pytest.approx(100.2)
    assert verdict.limit == 100.0
    per_trial = replace(TERMS, limits=Limits(time_per_trial_seconds=50.0))
    assert decide("f", needs(1, cpu_seconds=200.0), per_trial).limit == 50.0
    two = replace(per_trial, ask=Ask(cpus=2))
    assert decide("f", needs(1, cpu_seconds=200.0), two).decision is Decision.ADMITTED


def test_the_limits_of_a_model() -> None:
    small = replace(TERMS, limits=Limits(max_model_bytes=9))
    assert decide("f", needs(1), small).reason is Reason.EXCEEDS_MODEL_SIZE
    quick = replace(TERMS, limits=Limits(max_predict_seconds=1e-5))
    assert decide("f", needs(1), quick).reason is Reason.EXCEEDS_PREDICT_LATENCY


def test_the_first_lighter_variant_that_fits_is_named() -> None:
    terms = replace(TERMS, limits=Limits(memory_per_trial_bytes=300 * MIB))
    chain = [({"depth": 9}, needs(400)), ({"depth": 6}, needs(100)), ({"depth": 2}, needs(10))]
    verdict = decide("f", needs(500), terms, chain)
    assert verdict.fits_with == {"depth": 6}
    assert "would fit with depth=6" in verdict.message
    assert "782 MiB" in verdict.message
    assert "300 MiB" in verdict.message
    none = decide("f", needs(500), terms, chain[:1])
    assert none.fits_with is None
    assert "no lighter variant" in none.message


def test_lighter_variants_are_not_computed_for_the_admitted() -> None:
    looked_at: list[int] = []

    def chain() -> Iterator[tuple[Mapping[str, int], Prediction]]:
        looked_at.append(1)
        yield {}, needs(1)

    assert decide("f", needs(1), TERMS, chain()).decision is Decision.ADMITTED
    assert not looked_at
    decide("f", needs(5000), TERMS, chain())
    assert looked_at


def test_reservation_sizes() -> None:
    bounds = [FLOOR_BYTES + i * 10 * MIB for i in range(100)]
    sizes = reservation_sizes(bounds, None)
    assert sizes == tuple(size * MIB for size in (64, 128, 192, 256, 384, 512, 768, 1152))
    assert reservation_sizes(bounds, GIB)[-1] == GIB
    capped = reservation_sizes(bounds, 200 * MIB)
    assert capped == (64 * MIB, 128 * MIB, 192 * MIB, 200 * MIB)
    assert reservation_sizes(bounds, MIB) == ()
    assert reservation_sizes([5 * MIB], GIB) == (64 * MIB,)


def test_a_search_has_few_sizes_however_far_its_bounds_lie_apart() -> None:
    sizes = reservation_sizes([MIB, 4000 * GIB], None)
    assert len(sizes) == MOST_SIZES
    assert sizes[-1] >= 4400 * GIB
    assert all(after <= 1.5 * before + 64 * MIB for before, after in itertools.pairwise(sizes))


def test_slots() -> None:
    capacity = Capacity((NodeCapacity(GIB, 4), NodeCapacity(2 * GIB, 2, 1.0)))
    assert capacity.slots(Ask(), 256 * MIB) == 6
    assert capacity.slots(Ask(cpus=2), 512 * MIB) == 3
    assert capacity.slots(Ask(gpus=0.5), 256 * MIB) == 2


def test_bytes_for_people() -> None:
    texts = [format_bytes(b) for b in (5, 1024, 96 * MIB, 1023 * MIB, 3 * GIB // 2)]
    assert texts == ["5 B", "1 KiB", "96 MiB", "1023 MiB", "1.5 GiB"]


def test_a_quota_is_a_limit_like_the_others() -> None:
    terms = replace(TERMS, quota=Quota(memory_bytes=GIB))
    verdict = decide("f", needs(800), terms)
    assert (verdict.decision, verdict.reason) == (Decision.REJECTED, Reason.EXCEEDS_QUOTA)
    assert "namespace may hold" in verdict.message
    assert decide("f", needs(600), terms).decision is Decision.ADMITTED
    few = replace(TERMS, ask=Ask(cpus=2), quota=Quota(cpus=1.0))
    refused = decide("f", needs(1), few)
    assert (refused.reason, refused.demand, refused.limit) == (Reason.EXCEEDS_QUOTA, 2.0, 1.0)


GPU_NODE = NodeCapacity(4 * GIB, 8.0, 2.0, "gpu", 24 * GIB)
GPU_TERMS = replace(TERMS, ask=Ask(1, 1.0), capacity=Capacity((*TERMS_NODES, GPU_NODE)))


@pytest.mark.parametrize(("gib", "gpus"), [(6, 0.32), (18, 0.94), (19.2, 1.0)])
def test_a_trial_gets_the_share_of_a_gpu_that_its_memory_needs(gib: float, gpus: float) -> None:
    verdict = decide("f", needs(1, gpu_memory_bytes=int(gib * GIB)), GPU_TERMS)
    assert verdict.reservation is not None
    assert verdict.reservation.gpus == pytest.approx(gpus)


def test_more_gpu_memory_than_a_trial_may_have() -> None:
    verdict = decide("f", needs(1, gpu_memory_bytes=20 * GIB), GPU_TERMS)
    assert verdict.reason is Reason.EXCEEDS_GPU_MEMORY
    assert (verdict.demand, verdict.limit) == (25 * GIB, 24 * GIB)
    half = replace(GPU_TERMS, ask=Ask(1, 0.5))
    assert decide("f", needs(1, gpu_memory_bytes=10 * GIB), half).reason is (
        Reason.EXCEEDS_GPU_MEMORY
    )


def test_without_figures_of_the_gpus_all_that_is_asked_for_is_held() -> None:
    unknown = replace(GPU_NODE, gpu_memory_bytes=0)
    terms = replace(GPU_TERMS, capacity=Capacity((unknown,)))
    verdict = decide("f", needs(1, gpu_memory_bytes=20 * GIB), terms)
    assert verdict.reservation == Reservation(1, 1.0, 256 * MIB)
