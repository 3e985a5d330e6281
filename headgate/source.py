"""Where a table comes from: a local file, a URI, a bundled data set or a DataFrame."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from headgate.errors import InputError
from headgate.v1.dataset_service_pb2 import CreateDatasetHeader, CreateDatasetRequest

CHUNK_BYTES = 1 << 20
_URI = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@runtime_checkable
class DataFrame(Protocol):
    """What is used of a pandas DataFrame."""

    def to_csv(self, *, index: bool) -> str | None: ...  # noqa: D102
    def to_parquet(self, *, index: bool) -> bytes | None: ...  # noqa: D102


Source = str | Path | DataFrame
"""A local path, a URI such as `s3://bucket/table.parquet` or `sklearn:iris`, or a DataFrame."""


def default_id(source: Source) -> str:
    """A dataset id made of the source's name; empty when none can be made of it."""
    if not isinstance(source, (str, Path)):
        return ""
    stem = re.split(r"[/:\\]", str(source).rstrip("/"))[-1].split(".")[0].lower()
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-0123456789")[:40].rstrip("-")


def _chunks(file: Any) -> Iterator[bytes]:  # noqa: ANN401 - any binary file
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def requests(header: CreateDatasetHeader, source: Source) -> Iterator[CreateDatasetRequest]:
    """The messages that create a dataset of `source`. Fills the header's source in.

    Raises: InputError when a local file cannot be read, or the source is no table; before the first
    message.
    """
    if isinstance(source, (str, Path)) and not _is_local(source):
        header.uri = str(source)
        return iter([CreateDatasetRequest(header=header)])
    if isinstance(source, (str, Path)):
        path = Path(source)
        if not path.is_file():
            what = "is a directory" if path.is_dir() else "does not exist"
            raise InputError(f"{path} {what}; give a file, a URI or sklearn:NAME")
        header.upload_name = path.name
        try:
            file: Any = path.open("rb")
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        return _upload(header, file)
    if not hasattr(source, "to_parquet"):
        what = type(source).__name__
        raise InputError(f"the table is of type {what}; give a path, a URI or a DataFrame")
    header.upload_name, payload = _serialise(source)
    return _upload(header, io.BytesIO(payload))


def _upload(header: CreateDatasetHeader, file: Any) -> Iterator[CreateDatasetRequest]:  # noqa: ANN401
    with file:
        yield CreateDatasetRequest(header=header)
        for chunk in _chunks(file):
            yield CreateDatasetRequest(chunk=chunk)


def _is_local(source: str | Path) -> bool:
    return isinstance(source, Path) or not _URI.match(source)


def _serialise(frame: DataFrame) -> tuple[str, bytes]:
    """A file name and the frame: Parquet where pyarrow is there, as it keeps types, else CSV."""
    try:
        content = frame.to_parquet(index=False)
    except ImportError:
        return "frame.csv", (frame.to_csv(index=False) or "").encode()
    except (TypeError, ValueError, NotImplementedError) as error:  # pyarrow's errors are these
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"the DataFrame cannot be written as a table: {reason}; give every column a name of "
            "its own, as text, and values of one type"
        ) from error
    return "frame.parquet", content or b""
