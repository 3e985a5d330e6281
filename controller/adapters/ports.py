"""Blocks of TCP ports for programs that want to be told a number (Ray, Serve).

A block is held by an exclusive lock on a file that all of a user's controllers see, and every port
of it was free when it was taken. The range lies below Linux's ephemeral ports (32768) and above the
worker ports that Ray takes by default (10002-19999).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from controller.domain.errors import ResourceExhausted

FIRST, LAST, BLOCK = 20_100, 32_700, 20


def is_free(port: int) -> bool:
    """Nothing listens on the port, on any address of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


@dataclass
class PortBlock:
    """`BLOCK` ports from `first`, held until `release`."""

    first: int
    _lock: IO[str]

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < BLOCK:
            raise IndexError(index)
        return self.first + index

    def release(self) -> None:
        """Lets others take the block."""
        self._lock.close()


def _lock_directory() -> Path:
    directory = Path(tempfile.gettempdir()) / f"headgate-ports-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def _try_block(directory: Path, first: int, must_be_free: bool) -> PortBlock | None:
    lock = (directory / f"{first}.lock").open("a")
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not must_be_free or all(is_free(port) for port in range(first, first + BLOCK)):
            return PortBlock(first, lock)
    lock.close()
    return None


def take_block() -> PortBlock:
    """Takes a free block. Raises: ResourceExhausted when there is none."""
    directory = _lock_directory()
    # Starting at a place of its own makes two controllers that start together rarely meet.
    blocks = list(range(FIRST, LAST - BLOCK, BLOCK))
    offset = os.getpid() * 7 % len(blocks)
    for first in blocks[offset:] + blocks[:offset]:
        block = _try_block(directory, first, must_be_free=True)
        if block is not None:
            return block
    raise ResourceExhausted(f"no block of {BLOCK} free ports between {FIRST} and {LAST}")


def retake_block(first: int) -> PortBlock | None:
    """Takes a block back whose ports are in use by what an earlier controller left behind."""
    return _try_block(_lock_directory(), first, must_be_free=False)
