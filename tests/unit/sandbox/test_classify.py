"""The table of outcomes, without any process."""

from __future__ import annotations

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
) -> Evidence:
    limits = SandboxLimits(memory_bytes=100 * MIB, wall_seconds=5)
    return Evidence(verdict, is_returned, error, code, stderr, peak, limits)


def error(kind: type[BaseException], message: str = "", module: str = "sklearn.base") -> Raised:
    bases = tuple(f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__)
    return Raised(bases, module, message, "", 1, 0)


CASES = [
    ("OK", evidence(is_returned=True)),
    ("OK", evidence("TIMED_OUT", is_returned=True, code=-9)),
    ("CANCELLED", evidence("CANCELLED", is_returned=True)),
    ("CANCELLED", evidence("CANCELLED", code=-9)),
    ("MEMORY_EXCEEDED", evidence("MEMORY_EXCEEDED", code=-9)),
    ("TIMED_OUT", evidence("TIMED_OUT", code=-9)),
    ("MEMORY_EXCEEDED", evidence(error=error(MemoryError))),
    ("MEMORY_EXCEEDED", evidence(error=error(ValueError, "std::bad_alloc"))),
    ("MEMORY_EXCEEDED", evidence(error=error(ValueError, "bad_malloc: Failed to allocate 9"))),
    ("MEMORY_EXCEEDED", evidence(error=error(RuntimeError, "can't start new thread"))),
    ("BAD_CONFIG", evidence(error=error(ValueError, "max_depth must be > 0"))),
    ("BAD_CONFIG", evidence(error=error(UnicodeDecodeError, "x"))),
    ("BAD_CONFIG", evidence(error=error(TypeError, "no such keyword", "workers.families.knn"))),
    ("BAD_CONFIG", evidence(error=error(ValueError, "not finite", "workers.data.scoring"))),
    ("CRASHED", evidence(error=error(TypeError, "our own bug", "workers.trial.fit"))),
    ("CRASHED", evidence(error=error(TypeError, "our own bug", "workers.trial"))),
    ("BAD_CONFIG", evidence(error=error(TypeError, "not ours", "workers.trials"))),
    ("CRASHED", evidence(error=error(RuntimeError, "something else"))),
    ("CRASHED", evidence(error=error(SystemExit, "3"))),
    ("TIMED_OUT", evidence(code=-24)),
    ("MEMORY_EXCEEDED", evidence(code=1, stderr="OpenBLAS error: Memory allocation still failed")),
    ("MEMORY_EXCEEDED", evidence(code=-6, stderr="what():  std::bad_alloc")),
    ("MEMORY_EXCEEDED", evidence(code=-11, peak=85 * MIB)),
    ("MEMORY_EXCEEDED", evidence(code=-6, peak=90 * MIB)),
    ("CRASHED", evidence(code=-11, peak=84 * MIB)),
    ("CRASHED", evidence(code=-6)),
    ("CRASHED", evidence(code=1)),
    ("CRASHED", evidence(code=0)),
    ("LOST", evidence(code=-9)),
]


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_kind(kind: str, case: Evidence) -> None:
    found, message = classify(case)
    assert found == kind
    assert bool(message) == (kind != "OK")
    assert "\n" not in message


def test_messages_say_the_limit_and_what_to_change() -> None:
    _, memory = classify(evidence("MEMORY_EXCEEDED", peak=120 * MIB))
    assert "120 MiB" in memory
    assert "100 MiB" in memory
    assert "raise the memory per trial" in memory
    _, wall = classify(evidence("TIMED_OUT"))
    assert "5 s" in wall
    assert "raise the time per trial" in wall


def test_message_of_an_exception_is_its_first_line() -> None:
    _, message = classify(evidence(error=error(ValueError, "first\nsecond")))
    assert message == "ValueError: first"
    _, message = classify(evidence(error=error(MemoryError)))
    assert message == "MemoryError"
