"""What can be set about the API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ApiSettings:
    """Where the API listens and what it takes.

    address: `HOST:PORT` to listen on; port 0 lets the system choose. max_message_bytes: largest
    request, default 4 MiB; a larger one fails with RESOURCE_EXHAUSTED, answers have no limit.
    max_upload_bytes: largest uploaded table, default 10 GiB. call_threads: calls that may block on
    the store at once, default 8. reading_threads: uploads that may be read, and models exported, at
    once, default 4; further ones wait. drain_seconds: time that calls get to end when the server
    stops, default 5. has_reflection: answer what services there are, default on.
    """

    address: str = "127.0.0.1:0"
    max_message_bytes: int = 4 * 1024 * 1024
    max_upload_bytes: int = 10 * 1024**3
    call_threads: int = 8
    reading_threads: int = 4
    drain_seconds: float = 5.0
    has_reflection: bool = True
