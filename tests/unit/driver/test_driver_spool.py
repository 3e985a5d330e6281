"""The spool survives its process: nothing that was appended is lost, nothing torn is believed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from headgate.v1 import trial_pb2
from workers.driver.spool import Spool, TrialEvent

_KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from workers.driver.spool import Spool, TrialEvent
spool = Spool(Path(sys.argv[1]))
for number in range(5):
    spool.append(TrialEvent(number=number, attempt=1))
os.kill(os.getpid(), signal.SIGKILL)
"""


def event(number: int) -> TrialEvent:
    return TrialEvent(number=number, attempt=1, state=trial_pb2.Trial.SUCCEEDED, score=0.5)


def left(path: Path) -> list[TrialEvent]:
    """What the next driver finds."""
    spool = Spool(path)
    events = spool.peek(100)
    spool.close()
    return events


def numbers(spool: Spool) -> list[int]:
    return [each.number for each in spool.peek(100)]


def test_events_come_back_in_order_until_taken(tmp_path: Path) -> None:
    path = tmp_path / "spool" / "events.jsonl"
    spool = Spool(path)
    for number in range(3):
        spool.append(event(number))
    assert spool.peek(2) == [event(0), event(1)]
    spool.taken(2)
    assert numbers(spool) == [2]
    spool.close()
    assert [each.number for each in left(path)] == [0, 1, 2]  # sent again: harmless, never lost


def test_the_file_is_emptied_when_all_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    spool = Spool(path)
    spool.append(event(0))
    spool.taken(1)
    assert path.stat().st_size == 0
    spool.append(event(1))
    spool.close()
    assert [each.number for each in left(path)] == [1]


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    spool = Spool(path)
    spool.append(event(0))
    spool.append(event(1))
    spool.close()
    whole = path.read_bytes()
    for cut in (1, 5, 20):
        path.write_bytes(whole[:-cut])
        again = Spool(path)
        assert numbers(again) == [0]
        again.append(event(7))
        again.close()
        assert [each.number for each in left(path)] == [0, 7]


def test_what_a_killed_driver_appended_is_there(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    killed = subprocess.run([sys.executable, "-c", _KILLED_WRITER, str(path)], check=False)
    assert killed.returncode == -9
    assert [each.number for each in left(path)] == [0, 1, 2, 3, 4]


def test_a_score_that_is_no_number_survives(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    spool = Spool(path)
    spool.append(TrialEvent(number=1, fold_scores=[float("nan"), float("inf")]))
    spool.close()
    assert str(list(left(path)[0].fold_scores)) == "[nan, inf]"
