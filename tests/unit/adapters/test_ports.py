"""Blocks of ports are free, held, and given back."""

from __future__ import annotations

import socket

import pytest

from controller.adapters import ports


def test_two_blocks_do_not_overlap_and_can_be_taken_again() -> None:
    first, second = ports.take_block(), ports.take_block()
    try:
        taken = [set(range(b.first, b.first + ports.BLOCK)) for b in (first, second)]
        assert not taken[0] & taken[1]
        assert ports.retake_block(first.first) is None
    finally:
        first.release()
        second.release()
    again = ports.retake_block(first.first)
    assert again is not None
    again.release()


def test_a_block_with_a_used_port_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = ports.take_block()
    first = probe.first
    probe.release()
    monkeypatch.setattr(ports, "FIRST", first)
    monkeypatch.setattr(ports, "LAST", first + 3 * ports.BLOCK)
    with socket.socket() as used:
        used.bind(("127.0.0.1", first + 3))
        used.listen()
        assert not ports.is_free(first + 3)
        block = ports.take_block()
        try:
            assert block.first != first
        finally:
            block.release()


def test_places_outside_the_block_are_refused() -> None:
    block = ports.take_block()
    try:
        assert block[0] == block.first
        with pytest.raises(IndexError):
            block[ports.BLOCK]
    finally:
        block.release()
