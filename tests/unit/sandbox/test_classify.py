"""The table of outcomes, without any process."""

from __future__ import annotations

from typing import Any

import pytest

from workers.sandbox.classify import Evidence, classify
from workers.sandbox.messages import Raised
from workers.trial.job import SandboxLimits

MIB = 1 << 20


def evidence(
    verdict: str = "",
    *,
    is_returned: bool = False,
    error: Raised | None = None,
    code: int = 0,
    stderr: str = "",
    peak: int = 10 * MIB,
    **more: Any,
) -> Evidence:
    limits = SandboxLimits(memory_bytes=100 * MIB, wall_seconds=5)
    return Evidence(verdict, is_returned, error, code, stderr, peak, limits, **more)


def error(kind: type[BaseException], message: str = "", module: str = "sklearn.base") -> Raised:
    bases = tuple(f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__)
    return Raised(bases, module, message, "", 1, 0)


def free(**given: Any) -> Evidence:
    """Of a job without RLIMIT_DATA."""
    return evidence(has_backstop=False, **given)


OPENBLAS = "OpenBLAS error: Memory allocation still failed after 10 retries"
OWN_BUG = error(TypeError, "our own bug", "workers.trial.fit")
CASES = [
    ("OK", "", evidence(is_returned=True)),
    ("OK", "", evidence("TIMED_OUT", is_returned=True, code=-9)),
    ("OK", "", evidence(is_returned=True, was_killed_by_group=True)),
    ("CANCELLED", "", evidence("CANCELLED", is_returned=True)),
    ("CANCELLED", "", evidence("CANCELLED", code=-9)),
    ("MEMORY_EXCEEDED", "watchdog", evidence("MEMORY_EXCEEDED", code=-9)),
    ("LOST", "node", evidence("NODE", code=-9)),
    ("TIMED_OUT", "timeout", evidence("TIMED_OUT", code=-9)),
    ("TIMED_OUT", "timeout", evidence("TIMED_OUT", code=-9, peak=99 * MIB, room_bytes=90 * MIB)),
    ("MEMORY_EXCEEDED", "suspect", evidence("TIMED_OUT", code=-9, room_bytes=63 * MIB)),
    ("MEMORY_EXCEEDED", "suspect", evidence("TIMED_OUT", code=-9, room_bytes=-1)),
    ("MEMORY_EXCEEDED", "cgroup", evidence(code=-9, was_killed_by_group=True)),
    (
        "MEMORY_EXCEEDED",
        "cgroup",
        evidence(error=error(RuntimeError, "a worker ended"), was_killed_by_group=True),
    ),
    ("MEMORY_EXCEEDED", "refused", evidence(error=error(MemoryError))),
    ("MEMORY_EXCEEDED", "refused", evidence(error=error(ValueError, "std::bad_alloc"))),
    ("MEMORY_EXCEEDED", "refused", evidence(error=error(ValueError, "bad_malloc: Failed to a"))),
    ("MEMORY_EXCEEDED", "refused", evidence(error=error(RuntimeError, "can't start new thread"))),
    ("MEMORY_EXCEEDED", "refused", evidence(error=error(RuntimeError, "CUDA out of memory. T"))),
    ("BAD_CONFIG", "raised", evidence(error=error(ValueError, "max_depth must be > 0"))),
    ("BAD_CONFIG", "raised", evidence(error=error(UnicodeDecodeError, "x"))),
    ("BAD_CONFIG", "raised", evidence(error=error(TypeError, "none", "workers.families.knn"))),
    ("BAD_CONFIG", "raised", evidence(error=error(ValueError, "nan", "workers.data.scoring"))),
    ("BAD_CONFIG", "raised", evidence(error=error(TypeError, "not ours", "workers.trials"))),
    ("CRASHED", "raised", evidence(error=OWN_BUG)),
    ("CRASHED", "raised", evidence(error=error(TypeError, "our own bug", "workers.trial"))),
    ("CRASHED", "raised", evidence(error=error(RuntimeError, "something else"))),
    ("CRASHED", "raised", evidence(error=error(SystemExit, "3"))),
    ("TIMED_OUT", "timeout", evidence(code=-24)),
    ("MEMORY_EXCEEDED", "refused", evidence(code=1, stderr=OPENBLAS)),
    ("MEMORY_EXCEEDED", "refused", evidence(code=-6, stderr="what():  std::bad_alloc")),
    ("MEMORY_EXCEEDED", "suspect", evidence(code=-11, peak=85 * MIB)),
    ("MEMORY_EXCEEDED", "suspect", free(code=-6, peak=90 * MIB)),
    ("MEMORY_EXCEEDED", "suspect", free(code=1, peak=90 * MIB)),
    ("CRASHED", "suspect", evidence(code=-11, peak=84 * MIB)),
    ("CRASHED", "suspect", evidence(code=-6)),
    ("CRASHED", "suspect", evidence(code=1)),
    ("CRASHED", "exit", free(code=-11, peak=84 * MIB)),
    ("CRASHED", "exit", free(code=1)),
    ("CRASHED", "exit", evidence(code=3, peak=99 * MIB)),
    ("CRASHED", "exit", evidence(code=0)),
    ("LOST", "exit", evidence(code=-9)),
    ("LOST", "node", evidence(code=-9, was_node_low=True)),
]


@pytest.mark.parametrize(("kind", "witness", "case"), CASES)
def test_kind_and_evidence(kind: str, witness: str, case: Evidence) -> None:
    found = classify(case)
    assert (found.kind, found.evidence) == (kind, witness)
    assert bool(found.message) == (kind != "OK")
    assert "\n" not in found.message


def test_messages_say_the_limit_and_what_to_change() -> None:
    memory = classify(evidence("MEMORY_EXCEEDED", peak=120 * MIB)).message
    assert "120 MiB" in memory
    assert "100 MiB" in memory
    assert "raise the memory per trial" in memory
    wall = classify(evidence("TIMED_OUT")).message
    assert "5 s" in wall
    assert "raise the time per trial" in wall
    assert "7 MiB were left" in classify(evidence("NODE", note="7 MiB were left")).message


def test_message_of_an_exception_is_its_first_line() -> None:
    assert classify(evidence(error=error(ValueError, "first\nsecond"))).message == (
        "ValueError: first"
    )
    assert classify(evidence(error=error(MemoryError))).message == "MemoryError"
