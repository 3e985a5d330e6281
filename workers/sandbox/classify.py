"""How a job ended, from the evidence. Pure: no process is touched here.

| evidence, first match | kind |
|---|---|
| the whole result arrived | OK (CANCELLED when cancelled meanwhile) |
| ended by us | the verdict: MEMORY_EXCEEDED, TIMED_OUT or CANCELLED |
| raised MemoryError, or a library's words for it | MEMORY_EXCEEDED |
| raised ValueError, or TypeError outside our own plumbing | BAD_CONFIG |
| raised anything else | CRASHED |
| SIGXCPU | TIMED_OUT |
| died with a library's words for "no memory" on standard error | MEMORY_EXCEEDED |
| SIGSEGV, SIGABRT or SIGBUS with a peak >= 0.85 of the limit | MEMORY_EXCEEDED |
| SIGKILL that is not ours (the kernel, or a person) | LOST |
| any other death | CRASHED |
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

PLUMBING = ("workers.data", "workers.trial", "workers.bundle", "workers.sandbox")
"""They raise ValueError for what cannot work; a TypeError of theirs is our fault, not the
configuration's."""

_NO_MEMORY_RAISED = re.compile(
    r"bad_malloc|bad_alloc|failed to allocate|unable to allocate|could not allocate"
    r"|can't start new thread|cannot allocate memory|out of memory",
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
    """What is known of an ended job. verdict: the kind we ended it for, or empty. peak_bytes: above
    the idle child.
    """

    verdict: str
    is_returned: bool
    raised: Raised | None
    exit_code: int
    stderr_tail: str
    peak_bytes: int
    limits: SandboxLimits


def classify(evidence: Evidence) -> tuple[str, str]:
    """The kind (as in `headgate.v1.TrialFailure.Kind`) and one line for people."""
    if evidence.is_returned and evidence.verdict != "CANCELLED":
        return "OK", ""
    if evidence.verdict:
        return evidence.verdict, _verdict_message(evidence)
    if evidence.raised is not None:
        return _raised_kind(evidence.raised), _raised_message(evidence.raised)
    return _death(evidence)


def _verdict_message(evidence: Evidence) -> str:
    limits = evidence.limits
    match evidence.verdict:
        case "MEMORY_EXCEEDED":
            return (
                f"used {_mib(evidence.peak_bytes)} of memory, its limit is "
                f"{_mib(limits.memory_bytes)}; raise the memory per trial or make the model smaller"
            )
        case "TIMED_OUT":
            return (
                f"ran longer than its limit of {limits.wall_seconds:g} s; "
                "raise the time per trial or make the model smaller"
            )
        case _:
            return "cancelled while it ran"


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


def _death(evidence: Evidence) -> tuple[str, str]:
    code = evidence.exit_code
    if code == -signal.SIGXCPU:
        return "TIMED_OUT", "used more processor time than its time limit allows"
    if _NO_MEMORY_PRINTED.search(evidence.stderr_tail):
        return "MEMORY_EXCEEDED", f"a library could not allocate memory and ended ({_how(code)})"
    is_near = evidence.peak_bytes >= SUSPECT_SHARE * evidence.limits.memory_bytes
    if code in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS) and is_near:
        return "MEMORY_EXCEEDED", (
            f"died of {_how(code)} with {_mib(evidence.peak_bytes)} in use, near its limit of "
            f"{_mib(evidence.limits.memory_bytes)}: taken for a failed allocation"
        )
    if code == -signal.SIGKILL:
        return "LOST", "killed from outside: the node ran out of memory, or somebody killed it"
    return "CRASHED", f"the process ended without a result ({_how(code)})"


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.0f} MiB"
