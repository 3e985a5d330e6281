"""Brings the bytes of a URI to a local file, so that they can be read more than once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import pyarrow as pa
from pyarrow import fs

from controller.reader.request import ReadRequest, TableError, TableReason

_COPY_BYTES = 1 << 20

_REMEDY = "give a URI of a file that the server reaches (file:, s3:, gs:, hdfs:), or upload it"


@contextmanager
def local_copy(request: ReadRequest) -> Iterator[Path]:
    """The local file that `request.location` names, fetched when it is elsewhere.

    Raises: TableError when there is no such file or it is larger than `request.max_bytes`.
    """
    if "://" not in request.location and not request.location.startswith("file:"):
        yield Path(request.location)
        return
    source, path = _open(request.location)
    _check_size(source.get_file_info(path), request)
    if isinstance(source, fs.LocalFileSystem):
        yield Path(path)
        return
    with TemporaryDirectory(dir=request.scratch) as directory:
        target = Path(directory) / "table"
        _fetch(source, path, target, request)
        yield target


def _open(uri: str) -> tuple[fs.FileSystem, str]:
    try:
        source, path = fs.FileSystem.from_uri(uri)
    except (pa.ArrowException, OSError, ImportError, ValueError) as error:
        raise TableError(
            TableReason.UNREADABLE_URI, f"{uri!r} cannot be opened: {_line(error)}", _REMEDY
        ) from error
    return source, str(path)


def _check_size(info: fs.FileInfo, request: ReadRequest) -> None:
    if info.type != fs.FileType.File:
        what = "is a directory" if info.type == fs.FileType.Directory else "does not exist"
        raise TableError(TableReason.UNREADABLE_URI, f"{request.location!r} {what}", _REMEDY)
    if info.size is not None and info.size > request.max_bytes:
        _refuse_size(request)


def _fetch(source: fs.FileSystem, path: str, target: Path, request: ReadRequest) -> None:
    try:
        with source.open_input_stream(path, compression=None) as reader, target.open("xb") as out:
            while piece := reader.read(_COPY_BYTES):
                out.write(piece)
                if out.tell() > request.max_bytes:
                    _refuse_size(request)
    except OSError as error:
        raise TableError(
            TableReason.UNREADABLE_URI,
            f"{request.location!r} cannot be read: {_line(error)}",
            _REMEDY,
        ) from error


def _refuse_size(request: ReadRequest) -> NoReturn:
    raise TableError(
        TableReason.TABLE_TOO_LARGE,
        f"{request.location!r} is larger than {request.max_bytes} bytes",
        "give a smaller table or raise the server's limit for uploads",
    )


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
