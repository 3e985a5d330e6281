"""What the controller hands to a reader child."""

from __future__ import annotations

from dataclasses import dataclass

from controller.reader.request import ReadRequest


@dataclass(frozen=True)
class ReadJob:
    """One table to read by a child of `parent_pid`, which writes its answer to `answer_path`."""

    request: ReadRequest
    memory_bytes: int
    parent_pid: int
    answer_path: str
