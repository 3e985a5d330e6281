"""A child's output file: bounded on disk while it grows, read from its end."""

from __future__ import annotations

import ctypes
import os

MAX_OUTPUT_BYTES = 8 << 20
"""A child's output takes about so much disk at most; what is older is let go."""

TAIL_BYTES = 8 << 10
"""What is kept of a child's output for people."""

_KEPT_BYTES = 1 << 20  # at the end when space is given back: far more than the tail
_PUNCH_HOLE_KEEP_SIZE = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, fallocate(2)
_STAT_BLOCK_BYTES = 512  # the unit of st_blocks, stat(2)


def bound_output(descriptor: int) -> None:
    """Gives the disk of all but the end of a large file back; its size stays, nothing at its end is
    lost, and the child may go on appending. Where the file system cannot do that, starts it anew.
    """
    found = os.fstat(descriptor)
    if found.st_blocks * _STAT_BLOCK_BYTES <= MAX_OUTPUT_BYTES:
        return
    library = ctypes.CDLL(None, use_errno=True)
    length = ctypes.c_long(found.st_size - _KEPT_BYTES)
    if library.fallocate(descriptor, _PUNCH_HOLE_KEEP_SIZE, ctypes.c_long(0), length) != 0:
        os.ftruncate(descriptor, 0)


def output_tail(descriptor: int) -> str:
    """The last `TAIL_BYTES` of the file as text."""
    size = os.fstat(descriptor).st_size
    data = os.pread(descriptor, TAIL_BYTES, max(0, size - TAIL_BYTES))
    return data.decode("utf-8", "replace")
