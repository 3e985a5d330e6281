"""Trial events on disk until the controller has them: one JSON document a line, in order.

What was appended survives kill -9 at any instant; a line that was being written then is dropped and
cut off. Reading it again after the controller took it is harmless: events are idempotent by trial,
attempt and state. The file is emptied whenever all of it was taken.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from pathlib import Path

from google.protobuf import json_format

from headgate.v1 import worker_service_pb2

TrialEvent = worker_service_pb2.TrialEvent


class Spool:
    """Thread-safe. Opening reads what an earlier driver left. Raises: OSError."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._file = path.open("a+b")
        self._events: deque[TrialEvent] = deque(self._recover())

    def append(self, event: TrialEvent) -> None:
        """Returns once the event is on the disk. Blocks for milliseconds."""
        line = json_format.MessageToJson(event, indent=None).encode() + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._events.append(event)

    def peek(self, at_most: int) -> list[TrialEvent]:
        """The oldest events that were not taken."""
        with self._lock:
            return [self._events[i] for i in range(min(at_most, len(self._events)))]

    def taken(self, count: int) -> None:
        """The controller has the `count` oldest."""
        with self._lock:
            for _ in range(count):
                self._events.popleft()
            if not self._events:
                self._file.truncate(0)

    def __len__(self) -> int:
        with self._lock:
            return len(self._events)

    def close(self) -> None:
        """Closes the file; what was not taken stays in it."""
        with self._lock:
            self._file.close()

    def _recover(self) -> list[TrialEvent]:
        self._file.seek(0)
        events: list[TrialEvent] = []
        sound_bytes = 0
        for line in self._file:
            try:
                event = json_format.Parse(line, TrialEvent(), ignore_unknown_fields=True)
            except (json_format.ParseError, UnicodeDecodeError):
                break
            if not line.endswith(b"\n"):
                break
            events.append(event)
            sound_bytes += len(line)
        self._file.truncate(sound_bytes)
        self._file.seek(0, os.SEEK_END)
        return events
