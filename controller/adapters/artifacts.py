"""The artifact store on pyarrow's file systems: a local directory, S3, Google Cloud Storage, HDFS.

Only URIs below the root are touched. A file appears whole or not at all: it is written under
another name and then moved.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from pyarrow import ArrowInvalid, fs

from controller.domain.errors import DataLoss, InvalidField, Unavailable

COPY_BYTES = 1 << 20
"""Bytes copied at a time."""

PART_SUFFIX = ".part"
"""Ends the name of a file that is still being written; listings leave it out."""


class FsArtifacts:
    """`controller.ports.artifacts.Artifacts` below `root_uri`, a URI or a local path.

    Raises: InvalidField when there is no file system for the URI's scheme. All methods raise
    Unavailable when the storage is away or full, DataLoss when a file is gone that should be there,
    and ValueError for a URI outside the root.
    """

    def __init__(self, root_uri: str) -> None:
        if "://" not in root_uri:
            root_uri = Path(root_uri).absolute().as_uri()
        self._root_uri = root_uri.rstrip("/")
        try:
            self._fs, self._root = fs.FileSystem.from_uri(self._root_uri)
        except (ArrowInvalid, ImportError) as error:
            raise InvalidField(
                "artifacts",
                f"{root_uri!r} cannot be opened: {error}",
                "use file:, s3:, gs: or hdfs:",
            ) from error
        self._is_local = isinstance(self._fs, fs.LocalFileSystem)

    def uri(self, *segments: str) -> str:
        """The URI of `segments` below the root. Raises: ValueError for an unsafe segment."""
        for segment in segments:
            if segment in {"", ".", ".."} or "/" in segment or "\0" in segment:
                raise ValueError(f"{segment!r} is no file name")
        return "/".join((self._root_uri, *(quote(segment) for segment in segments)))

    def put_file(self, source: Path, uri: str) -> int:
        """Copies a local file; it is synced to disk where the storage is one. Returns its bytes."""
        path = self._path(uri)
        part = f"{path}.{uuid.uuid4().hex}{PART_SUFFIX}"
        with _translated(uri):
            try:
                (self._put_local if self._is_local else self._put_remote)(source, part, path)
            except BaseException:
                self._drop(part)
                raise
        return source.stat().st_size

    def list_files(self, uri: str) -> list[str]:
        """Relative paths of all files below a directory, sorted."""
        base = self._path(uri)
        selector = fs.FileSelector(base, recursive=True, allow_not_found=True)
        with _translated(uri):
            found = self._fs.get_file_info(selector)
        return sorted(
            str(PurePosixPath(info.path).relative_to(base))
            for info in found
            if info.type == fs.FileType.File and not info.path.endswith(PART_SUFFIX)
        )

    def sweep_unfinished(self, uri: str) -> int:
        """Deletes files below a directory whose writing was cut off; returns their number. Only to
        be called while nobody writes there.
        """
        base = self._path(uri)
        selector = fs.FileSelector(base, recursive=True, allow_not_found=True)
        with _translated(uri):
            found = self._fs.get_file_info(selector)
            parts = [info.path for info in found if info.path.endswith(PART_SUFFIX)]
            for path in parts:
                self._fs.delete_file(path)
        return len(parts)

    def read(self, uri: str) -> bytes:
        """All bytes of a file."""
        path = self._path(uri)
        with _translated(uri), self._fs.open_input_stream(path) as stream:
            return bytes(stream.read())

    def chunks(self, uri: str, size: int) -> Iterator[bytes]:
        """The file's bytes in pieces of at most `size`."""
        path = self._path(uri)
        with _translated(uri), self._fs.open_input_stream(path) as stream:
            while piece := stream.read(size):
                yield bytes(piece)

    def delete(self, uri: str) -> None:
        """Deletes a file or a directory with everything below. Idempotent."""
        path = self._path(uri)
        with _translated(uri):
            kind = self._fs.get_file_info(path).type
            if kind == fs.FileType.NotFound:
                return
            remove: Callable[[str], None] = (
                self._fs.delete_dir if kind == fs.FileType.Directory else self._fs.delete_file
            )
            try:
                remove(path)
            except FileNotFoundError:
                return  # somebody else was faster

    def _path(self, uri: str) -> str:
        """The path of `uri` in the file system. Raises: ValueError when not below the root."""
        if uri.startswith(self._root_uri + "/"):
            path = str(fs.FileSystem.from_uri(uri)[1])
            if ".." not in PurePosixPath(path).parts and path.startswith(f"{self._root}/"):
                return path
        raise ValueError(f"{uri!r} is not below the artifact root {self._root_uri}")

    def _put_local(self, source: Path, part: str, path: str) -> None:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as reader, Path(part).open("xb") as writer:
            shutil.copyfileobj(reader, writer, COPY_BYTES)
            writer.flush()
            os.fsync(writer.fileno())
        Path(part).replace(target)
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _put_remote(self, source: Path, part: str, path: str) -> None:
        # A stream that is left by an exception is closed like a good one, so the object it makes
        # may be half: hence the other name here, too.
        with source.open("rb") as reader, self._fs.open_output_stream(part) as writer:
            shutil.copyfileobj(reader, writer, COPY_BYTES)
        self._fs.move(part, path)

    def _drop(self, part: str) -> None:
        if self._fs.get_file_info(part).type == fs.FileType.File:
            self._fs.delete_file(part)


@contextmanager
def _translated(uri: str) -> Iterator[None]:
    """Turns the file system's errors into the domain's."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataLoss(
            f"{uri} is gone from the artifact store; restore it from a backup or create it anew"
        ) from error
    except OSError as error:
        raise Unavailable(
            f"the artifact store cannot be used at {uri}: {error}; check its disk and its rights"
        ) from error
