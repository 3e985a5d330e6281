"""Processes named so that a reused pid is never mistaken: pid and kernel start time together."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

_STAT_PPID_OFFSET = 1  # fields after the command: state, ppid, pgrp, session, ...
_STAT_SESSION_OFFSET = 3
_STAT_START_OFFSET = 19


def _stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat after the command name (proc(5)); None when there is no process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


@dataclass(frozen=True)
class ProcessIdentity:
    """A process. start_ticks: its start time in clock ticks since boot (proc(5), field 22)."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """The identity of a living process, zombies left out; None when there is none."""
        fields = _stat_fields(pid)
        if fields is None or fields[0] in ("Z", "X"):
            return None
        return cls(pid, int(fields[_STAT_START_OFFSET]))

    @property
    def is_alive(self) -> bool:
        """True while it, and not another process with its pid, still runs."""
        return ProcessIdentity.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Signals it if it is alive; silently nothing otherwise."""
        if self.is_alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


def session_members(session_id: int, not_before_ticks: int) -> list[ProcessIdentity]:
    """Living processes of a kernel session that started at or after an instant (ticks since boot).

    A session id cannot be taken by strangers while members live; the start time guards against one
    that was reused after all had ended.
    """
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        fields = _stat_fields(int(entry.name))
        if fields is None or fields[0] in ("Z", "X"):
            continue
        start = int(fields[_STAT_START_OFFSET])
        if int(fields[_STAT_SESSION_OFFSET]) == session_id and start >= not_before_ticks:
            members.append(ProcessIdentity(int(entry.name), start))
    return members


def descendants(root: ProcessIdentity) -> list[ProcessIdentity]:
    """Living processes below `root`, whatever session they are in."""
    children: dict[int, list[ProcessIdentity]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _stat_fields(int(entry.name))) is not None:
            identity = ProcessIdentity(int(entry.name), int(fields[_STAT_START_OFFSET]))
            children.setdefault(int(fields[_STAT_PPID_OFFSET]), []).append(identity)
    found: list[ProcessIdentity] = []
    frontier = [root]
    while frontier:
        below = children.get(frontier.pop().pid, [])
        found += below
        frontier += below
    return found


def end_all(members: list[ProcessIdentity], grace_seconds: float) -> None:
    """SIGTERM, then SIGKILL what is left after `grace_seconds`. Blocks until all have ended."""
    for member in members:
        member.send(signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while any(member.is_alive for member in members) and time.monotonic() < deadline:
        time.sleep(0.05)
    for member in members:
        member.send(signal.SIGKILL)
    while any(member.is_alive for member in members):
        time.sleep(0.01)
