"""Unpacks a model's bundle as the server streams it."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from headgate.errors import InputError, ServerError


class _ChunkReader(io.RawIOBase):
    """Chunks as a readable file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def unpack(chunks: Iterable[bytes], directory: Path) -> Path:
    """Writes the files of a tar stream into `directory`, whole or not at all; returns it.

    Members that would leave the directory are refused by tarfile's `data` filter. Raises:
    InputError when the directory exists and is not empty, or cannot be written;
    ServerError when what was sent is no sound bundle.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(f"{directory} is not empty; name a new directory")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        return _unpack(chunks, directory)
    except tarfile.TarError as error:
        message = f"the bundle cannot be unpacked: {error}; export it again"
        raise ServerError("DATA_LOSS", message) from error
    except OSError as error:
        raise InputError(f"{directory} cannot be written: {error.strerror or error}") from error


def _unpack(chunks: Iterable[bytes], directory: Path) -> Path:
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".headgate-") as scratch:
        reader = io.BufferedReader(_ChunkReader(chunks))
        with tarfile.open(fileobj=reader, mode="r|") as archive:
            archive.extractall(scratch, filter="data")
        if directory.exists():
            directory.rmdir()
        complete = Path(scratch) / "complete"
        complete.mkdir()
        for entry in list(Path(scratch).iterdir()):
            if entry != complete:
                shutil.move(entry, complete / entry.name)
        complete.replace(directory)
    return directory
