"""Processes are told apart by pid and start time, and whole sessions can be ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.adapters.processes import (
    ProcessIdentity,
    descendants,
    end_all,
    session_members,
)

# A child that starts a grandchild, says its pid, and ignores SIGTERM in both.
_FAMILY = """
import signal, subprocess, sys
from subprocess import PIPE
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
code += "print('up', flush=True); sys.stdin.read()"
child = subprocess.Popen([sys.executable, "-c", code], stdout=PIPE, stdin=PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def family() -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _FAMILY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    grandchild = int(process.stdout.readline())
    yield process, grandchild
    for pid in (grandchild, process.pid):
        identity = ProcessIdentity.of(pid)
        if identity is not None:
            identity.send(signal.SIGKILL)
    process.wait()
    assert process.stdin is not None
    process.stdin.close()
    process.stdout.close()


def test_identity_is_not_fooled_by_a_reused_pid(
    family: tuple[subprocess.Popen[str], int],
) -> None:
    identity = ProcessIdentity.of(family[0].pid)
    assert identity is not None
    assert identity.is_alive
    stranger = replace(identity, start_ticks=identity.start_ticks - 1)
    assert not stranger.is_alive
    stranger.send(signal.SIGKILL)
    assert identity.is_alive


def test_no_identity_of_a_process_that_is_gone_or_a_zombie() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()  # its end: the process is a zombie or will be at once
    while ProcessIdentity.of(process.pid) is not None:
        pass
    process.wait()
    process.stdout.close()
    assert ProcessIdentity.of(process.pid) is None


def test_a_session_and_its_descendants_are_found_and_ended(
    family: tuple[subprocess.Popen[str], int],
) -> None:
    process, grandchild = family
    root = ProcessIdentity.of(process.pid)
    assert root is not None
    members = session_members(root.pid, root.start_ticks)
    assert {m.pid for m in members} == {process.pid, grandchild}
    assert [d.pid for d in descendants(root)] == [grandchild]
    end_all(members, grace_seconds=0.05)
    assert not any(member.is_alive for member in members)


def test_a_reused_session_id_hides_what_started_before() -> None:
    own = ProcessIdentity.of(os.getpid())
    assert own is not None
    assert session_members(own.pid, own.start_ticks + 10**12) == []
