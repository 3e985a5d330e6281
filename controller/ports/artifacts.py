"""The artifact store: files that Ray's nodes and the controller both reach, by URI."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class Artifacts(Protocol):
    """Files below one root URI. Calls block. Raises: Unavailable when the storage is away."""

    def uri(self, *segments: str) -> str:
        """The URI of `segments` below the root."""
        ...

    def put_file(self, source: Path, uri: str) -> int:
        """Copies a local file to `uri`, whole or not at all; returns its bytes."""
        ...

    def list_files(self, uri: str) -> list[str]:
        """Relative paths of all files below a directory, sorted; empty when there is none."""
        ...

    def read(self, uri: str) -> bytes: ...
    def chunks(self, uri: str, size: int) -> Iterator[bytes]:
        """The file's bytes in pieces of at most `size`."""
        ...

    def delete(self, uri: str) -> None:
        """Deletes a file or a directory with everything below. Idempotent."""
        ...
