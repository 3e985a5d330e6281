"""What can be said of the node agent without Ray."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workers.sandbox.agent import NodeAgent, agent_name
from workers.sandbox.waiting import Child
from workers.trial.job import FitJob, SandboxLimits

HEAVY = ("ray", "numpy", "sklearn", "xgboost", "pyarrow")


def test_importing_it_imports_nothing_heavy() -> None:
    code = (
        "import sys, workers.sandbox.agent; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


def test_another_node_or_directory_has_another_agent() -> None:
    names = {agent_name("a", "/w"), agent_name("b", "/w"), agent_name("a", "/v")}
    assert len(names) == 3
    assert agent_name("a", "/w") == agent_name("a", "/w")


@pytest.mark.parametrize(
    ("number", "cancelled"), [(1, 1), (10, 1), (None, 2), (0, 0)], ids=["1", "10", "all", "0"]
)
def test_cancel_takes_one_trial_or_a_whole_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None, cancelled: int
) -> None:
    """Jobs are cancelled before they start, from within: no trial takes a longer number along."""
    agent = NodeAgent("n", str(tmp_path), ())
    search = "namespaces/default/searches/s"
    limits = SandboxLimits(memory_bytes=64 << 20, wall_seconds=60)
    real = agent._sandbox._waiting.take
    counts = []

    def cancel_first() -> Child:
        counts.append(agent.cancel(search, number))
        return real()

    monkeypatch.setattr(agent._sandbox._waiting, "take", cancel_first)
    try:
        for trial, name in ((1, search), (10, search), (1, search + "2")):
            agent.fit(FitJob(name, trial, 1, "knn", {}, 0, "r2", 1, str(tmp_path)), limits)
    finally:
        agent._sandbox.close()
    assert sum(counts) == cancelled
