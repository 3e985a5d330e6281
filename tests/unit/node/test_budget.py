"""The lines drawn below a node's total, and what trials get of it."""

from __future__ import annotations

import pytest

from workers.node.budget import (
    ACTOR_BYTES,
    OVERSHOOT_BYTES,
    guard_threshold_bytes,
    margin_bytes,
    ray_memory_bytes,
    trial_memory_bytes,
)

MIB = 1 << 20
GIB = 1 << 30
TOTALS = [512 * MIB, GIB, 2 * GIB, 8 * GIB, 24 * GIB, 256 * GIB, 2048 * GIB]


@pytest.mark.parametrize("total", TOTALS)
def test_the_guard_acts_before_rays_monitor_and_after_one_overshoot(total: int) -> None:
    ray_line = total * 5 // 100
    assert guard_threshold_bytes(total) >= ray_line + 64 * MIB - 1
    assert guard_threshold_bytes(total) <= ray_line + GIB
    assert margin_bytes(total) >= guard_threshold_bytes(total)
    assert margin_bytes(total) >= ray_line + OVERSHOOT_BYTES
    assert margin_bytes(total) < total // 2


def test_figures_of_the_table() -> None:
    assert guard_threshold_bytes(2 * GIB) // MIB == 166
    assert margin_bytes(2 * GIB) // MIB == 222
    assert guard_threshold_bytes(256 * GIB) / GIB == pytest.approx(13.8)


def test_what_trials_use_already_is_theirs() -> None:
    idle = trial_memory_bytes(2 * GIB, GIB, 0)
    busy = trial_memory_bytes(2 * GIB, GIB - 300 * MIB, 300 * MIB)
    assert idle == busy == (1024 - 222) // 64 * 64 * MIB
    assert trial_memory_bytes(2 * GIB, 100 * MIB, 0) == 0


def test_a_node_is_given_less_than_it_has() -> None:
    node = ray_memory_bytes(8 * GIB, GIB, 4, is_head=False)
    assert node % (64 * MIB) == 0
    assert 5 * GIB < node < 8 * GIB - GIB - 4 * ACTOR_BYTES - margin_bytes(8 * GIB)
    assert ray_memory_bytes(8 * GIB, GIB, 4, is_head=True) < node
    assert ray_memory_bytes(8 * GIB, 2 * GIB, 4, is_head=False) == node - GIB
    assert ray_memory_bytes(8 * GIB, GIB, 8, is_head=False) == node - 4 * ACTOR_BYTES
    assert ray_memory_bytes(512 * MIB, 0, 1, is_head=True) == 0
