"""How a job ended, from the evidence. Pure: no process is touched here.

| what is known, first match | kind | evidence |
|---|---|---|
| the whole result arrived | OK (CANCELLED when cancelled meanwhile) | |
| the watchdog saw it above its limit | MEMORY_EXCEEDED | watchdog |
| the node guard ended it within its limit | LOST | node |
| its time was up, and RLIMIT_DATA left it no room | MEMORY_EXCEEDED | suspect |
| its time was up | TIMED_OUT | timeout |
| it was cancelled | CANCELLED | |
| the kernel killed a process at its group's own limit | MEMORY_EXCEEDED | cgroup |
| raised MemoryError, or a library's words for it | MEMORY_EXCEEDED | refused |
| raised ValueError, or TypeError outside our own plumbing | BAD_CONFIG | raised |
| raised anything else | CRASHED | raised |
| SIGXCPU | TIMED_OUT | timeout |
| died with a library's words for "no memory" on standard error | MEMORY_EXCEEDED | refused |
| SIGSEGV, SIGABRT, SIGBUS, exit code 1: peak >= 0.85 of the limit | MEMORY_EXCEEDED | suspect |
| the same with RLIMIT_DATA set | CRASHED | suspect |
| SIGKILL that is not ours while the node was out of memory | LOST | node |
| any other SIGKILL that is not ours | LOST | exit |
| any other death | CRASHED | exit |
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from workers.sandbox.messages import Raised
from workers.trial.job import SandboxLimits

SUSPECT_SHARE = 0.85
"""libsvm and liblinear do not check malloc: a segmentation fault this near the limit is taken for
a failed allocation."""

REFUSING_ROOM_BYTES = 64 << 20
"""OpenBLAS spins for ever when a thread's buffer of 32-64 MiB is refused, with so much room left of
RLIMIT_DATA at most (measured: it hung with 40-60 MiB of room at its start, never with 70). How near
the memory limit a job was does not tell: a sound one that is only slow is as near."""

_SUSPECT_CODES = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, 1)

PLUMBING = ("workers.data", "workers.trial", "workers.bundle", "workers.sandbox")
"""They raise ValueError for what cannot work; a TypeError of theirs is our fault, not the
configuration's."""

_NO_MEMORY_RAISED = re.compile(
    r"bad_malloc|bad_alloc|failed to allocate|unable to allocate|could not allocate"
    r"|can't start new thread|cannot allocate memory|out of memory"
    r"|cudaErrorMemoryAllocation",
    re.IGNORECASE,
)
_NO_MEMORY_PRINTED = re.compile(
    r"OpenBLAS error: Memory allocation"
    r"|OpenBLAS ?: Program is Terminated. Because you tried to allocate too many memory regions"
    r"|libgomp: (Out of memory|Thread creation failed)"
    r"|std::bad_alloc",
)


@dataclass(frozen=True)
class Evidence:
    """What is known of an ended job.

    verdict, note, room_bytes: see `Watched`. peak_bytes: above the idle child. has_backstop:
    RLIMIT_DATA was set. was_killed_by_group: at its group's own limit. was_node_low: the node was
    out of memory when it ended.
    """

    verdict: str
    is_returned: bool
    raised: Raised | None
    exit_code: int
    stderr_tail: str
    peak_bytes: int
    limits: SandboxLimits
    note: str = ""
    room_bytes: int | None = None
    has_backstop: bool = True
    was_killed_by_group: bool = False
    was_node_low: bool = False

    @property
    def is_near_limit(self) -> bool:
        """Whether it used nearly all it was allowed."""
        return self.peak_bytes >= SUSPECT_SHARE * self.limits.memory_bytes

    @property
    def limit(self) -> str:
        """The memory limit, for people."""
        return _mib(self.limits.memory_bytes)


@dataclass(frozen=True)
class Finding:
    """kind: as in `headgate.v1.TrialFailure.Kind`. evidence: as in `Outcome`. message: one line."""

    kind: str
    evidence: str
    message: str


def classify(evidence: Evidence) -> Finding:
    """How the job ended."""
    if evidence.is_returned and evidence.verdict != "CANCELLED":
        return Finding("OK", "", "")
    if evidence.verdict:
        return _ended_by_us(evidence)
    if evidence.was_killed_by_group:
        return _over_limit(evidence, "cgroup")
    if evidence.raised is not None:
        return _raised(evidence.raised)
    return _died(evidence)


def _ended_by_us(evidence: Evidence) -> Finding:
    match evidence.verdict:
        case "MEMORY_EXCEEDED":
            return _over_limit(evidence, "watchdog")
        case "NODE":
            return Finding(
                "LOST",
                "node",
                f"ended to save its node, where memory ran out ({evidence.note}); it used "
                f"{_mib(evidence.peak_bytes)} of the {evidence.limit} held for it",
            )
        case "TIMED_OUT":
            return _out_of_time(evidence)
        case _:
            return Finding("CANCELLED", "", "cancelled while it ran")


def _over_limit(evidence: Evidence, witness: str) -> Finding:
    used = f"used {_mib(evidence.peak_bytes)} of memory, its limit is {evidence.limit}"
    if witness == "cgroup":
        used = (
            f"met its limit of {evidence.limit} of memory, all its processes together; its first "
            f"one used {_mib(evidence.peak_bytes)}"
        )
    cure = "raise the memory per trial or make the model smaller"
    return Finding("MEMORY_EXCEEDED", witness, f"{used}; {cure}")


def _out_of_time(evidence: Evidence) -> Finding:
    seconds = evidence.limits.wall_seconds
    if evidence.room_bytes is not None and evidence.room_bytes < REFUSING_ROOM_BYTES:
        return Finding(
            "MEMORY_EXCEEDED",
            "suspect",
            f"hung until its limit of {seconds:g} s with no address space left at a memory limit "
            f"of {evidence.limit}: taken for a library that waits for memory",
        )
    return Finding(
        "TIMED_OUT",
        "timeout",
        f"ran longer than its limit of {seconds:g} s; "
        "raise the time per trial or make the model smaller",
    )


def _raised(raised: Raised) -> Finding:
    kind = _raised_kind(raised)
    evidence = "refused" if kind == "MEMORY_EXCEEDED" else "raised"
    return Finding(kind, evidence, _raised_message(raised))


def _raised_kind(raised: Raised) -> str:
    if "builtins.MemoryError" in raised.bases or _NO_MEMORY_RAISED.search(raised.message):
        return "MEMORY_EXCEEDED"
    if "builtins.ValueError" in raised.bases:
        return "BAD_CONFIG"
    is_ours = any(raised.module == own or raised.module.startswith(own + ".") for own in PLUMBING)
    return "BAD_CONFIG" if "builtins.TypeError" in raised.bases and not is_ours else "CRASHED"


def _raised_message(raised: Raised) -> str:
    name = raised.bases[0].removeprefix("builtins.")
    first_line = raised.message.strip().splitlines()[0] if raised.message.strip() else ""
    return f"{name}: {first_line}" if first_line not in ("", name) else name


def _died(evidence: Evidence) -> Finding:
    code = evidence.exit_code
    how = _how(code)
    if code == -signal.SIGXCPU:
        return Finding(
            "TIMED_OUT", "timeout", "used more processor time than its time limit allows"
        )
    if _NO_MEMORY_PRINTED.search(evidence.stderr_tail):
        message = f"a library could not allocate memory and ended ({how})"
        return Finding("MEMORY_EXCEEDED", "refused", message)
    if code in _SUSPECT_CODES and (evidence.is_near_limit or evidence.has_backstop):
        return _suspect(evidence, how)
    if code == -signal.SIGKILL:
        if evidence.was_node_low:
            return Finding("LOST", "node", "killed by the kernel: the node ran out of memory")
        return Finding("LOST", "exit", "killed from outside, not for anything it did")
    return Finding("CRASHED", "exit", f"the process ended without a result ({how})")


def _suspect(evidence: Evidence, how: str) -> Finding:
    if evidence.is_near_limit:
        return Finding(
            "MEMORY_EXCEEDED",
            "suspect",
            f"died of {how} with {_mib(evidence.peak_bytes)} in use, near its limit of "
            f"{evidence.limit}: taken for a failed allocation",
        )
    return Finding(
        "CRASHED",
        "suspect",
        f"the process ended without a result ({how}); libraries end so when memory is refused, "
        "too, and its address space was limited",
    )


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.0f} MiB"
