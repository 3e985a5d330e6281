"""How `headgate up` shares memory."""

from __future__ import annotations

import pytest

from controller.sizing import DRIVER_BYTES, GATEWAY_BYTES, TooLittleMemory, sized, sized_for

GIB, MIB = 1 << 30, 1 << 20


def test_a_large_machine_has_room_for_all() -> None:
    told = sized(22 * GIB, 24 * GIB, 2, 2)
    assert (told.searches, told.spare_bytes) == (2, GATEWAY_BYTES)
    assert told.trial_bytes > 17 * GIB
    assert told.ray_bytes == told.trial_bytes + 2 * DRIVER_BYTES + GATEWAY_BYTES
    assert told.ray_bytes < 22 * GIB


def test_a_container_of_two_gib_runs_one_search_beside_nothing() -> None:
    told = sized(1920 * MIB, 2 * GIB, 2, 2)
    assert (told.searches, told.spare_bytes) == (1, 0)
    assert 256 * MIB <= told.trial_bytes <= 512 * MIB


def test_too_little_says_how_much_is_needed() -> None:
    with pytest.raises(TooLittleMemory, match=r"1536 MiB of memory are free and 19\d\d MiB"):
        sized(1536 * MIB, 2 * GIB, 2, 2)
    needed = sized(1920 * MIB, 2 * GIB, 2, 2)
    assert needed.trial_bytes >= 256 * MIB


def test_what_is_asked_for_is_for_trials_alone() -> None:
    told = sized_for(GIB, 2)
    assert told.trial_bytes == GIB
    assert told.ray_bytes == GIB + 2 * DRIVER_BYTES + GATEWAY_BYTES
