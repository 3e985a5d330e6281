"""What the agent's process, the forkserver and a child tell each other, and how it is framed.

Streams carry frames: eight bytes of length, then a pickle. Both ends are our own processes of the
same user, so a pickle is as trusted as the code that made it.
"""

from __future__ import annotations

import pickle
import socket
import struct
from dataclasses import dataclass
from typing import Any

from workers.trial.job import SandboxLimits

MAX_RESULT_BYTES = 64 << 20
"""A child refuses to send a larger pickled result: results are small, tables are files."""

_LENGTH = struct.Struct("!Q")


@dataclass(frozen=True)
class Hello:
    """A child is confined and waits for its request. Bytes are its idle memory, by kind of page."""

    pid: int
    anonymous_bytes: int


@dataclass(frozen=True)
class Request:
    """What a child shall run: `module:function`, called with `argument`, within `limits`."""

    target: str
    argument: Any
    limits: SandboxLimits


@dataclass(frozen=True)
class Returned:
    """A job returned. payload: its pickled value. file_bytes: file pages mapped at the end."""

    payload: bytes
    file_bytes: int


@dataclass(frozen=True)
class Raised:
    """A job raised. bases: qualified names of the exception's class and its bases, nearest first.
    module: where the innermost frame is. exit_code: what the child exits with.
    """

    bases: tuple[str, ...]
    module: str
    message: str
    traceback: str
    exit_code: int
    file_bytes: int


@dataclass(frozen=True)
class Ready:
    """The forkserver has its modules and takes jobs. thread_count: 1, or forking is unsafe."""

    anonymous_bytes: int
    thread_count: int


@dataclass(frozen=True)
class NotReady:
    """The forkserver could not load its modules and ends. reason: one line."""

    reason: str


@dataclass(frozen=True)
class Exited:
    """A child ended and its process group with it. code: negative for a signal. cpu_seconds: all
    threads, user and system. peak_resident_bytes: exact, file pages included.
    """

    job: int
    code: int
    cpu_seconds: float
    peak_resident_bytes: int


def send(connection: socket.socket, message: object) -> None:
    """Write one frame. Blocks. Raises: OSError when the other end is gone."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    connection.sendall(_LENGTH.pack(len(body)))
    connection.sendall(body)


def receive(connection: socket.socket) -> Any:
    """Read one frame. Blocks. Raises: EOFError when the other end died before or within it."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    return pickle.loads(_exactly(connection, length))  # noqa: S301 - see the module's docstring


def _exactly(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    done = 0
    while done < size:
        try:
            count = connection.recv_into(view[done:])
        except ConnectionResetError as error:
            raise EOFError(f"{done} of {size} bytes") from error
        if count == 0:
            raise EOFError(f"{done} of {size} bytes")
        done += count
    return data
