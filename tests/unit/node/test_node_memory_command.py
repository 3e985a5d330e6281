"""`headgate node-memory`: one number, or what to change."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from controller.node_memory import node_memory
from workers.node.budget import ray_memory_bytes
from workers.node.machine import NodeMemory

GIB = 1 << 30


def test_it_prints_the_bytes_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NodeMemory, "total_bytes", lambda _: 8 * GIB)
    given = CliRunner().invoke(node_memory, ["--object-store", "1GiB", "--cpus", "3"])
    assert given.output == f"{ray_memory_bytes(8 * GIB, GIB, 3, is_head=False)}\n"
    head = CliRunner().invoke(node_memory, ["--object-store", "1GiB", "--cpus", "3", "--head"])
    assert head.output == f"{ray_memory_bytes(8 * GIB, GIB, 3, is_head=True)}\n"


def test_a_node_too_small_says_what_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NodeMemory, "total_bytes", lambda _: GIB // 2)
    refused = CliRunner().invoke(node_memory, [])
    assert refused.exit_code == 1
    assert "--object-store" in refused.output
