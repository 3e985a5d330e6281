"""Streams a stored table: columns batch by batch, never the whole file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

BATCH_ROWS = 8_192
"""Rows decoded at a time: the 34 features of a text column are 1 MiB then."""

_LOCAL_BUFFER_BYTES = 64 * 1024
_REMOTE_BUFFER_BYTES = 1024 * 1024
"""What is read ahead of each column: a request to an object store takes tens of milliseconds."""


class Source:
    """A Parquet file by URI or path. Use as a context manager. Not for several threads.

    Raises: OSError when the file cannot be reached.
    """

    def __init__(self, uri: str) -> None:
        filesystem, path = resolve(uri)
        is_local = isinstance(filesystem, pyarrow.fs.LocalFileSystem)
        self._stream = filesystem.open_input_file(path)
        # Buffered and not pre-buffered, a column holds one page and its dictionary (1 MiB each by
        # default) instead of its whole part of the row group.
        self._file = pq.ParquetFile(
            self._stream,
            pre_buffer=False,
            buffer_size=_LOCAL_BUFFER_BYTES if is_local else _REMOTE_BUFFER_BYTES,
        )
        self.rows: int = self._file.metadata.num_rows
        self.schema: pa.Schema = self._file.schema_arrow

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._stream.close()

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of some columns in order. Raises: ValueError for an unknown column."""
        unknown = [name for name in columns if name not in self.schema.names]
        if unknown:
            raise ValueError(f"the dataset has no column {unknown[0]!r}")
        # Threads would decode further columns ahead and hold them.
        yield from self._file.iter_batches(
            batch_size=BATCH_ROWS, columns=list(columns), use_threads=False
        )

    def column(self, name: str) -> Iterator[pa.Array]:
        """The arrays of one column in order."""
        for batch in self.batches([name]):
            yield batch.column(0)


def resolve(uri: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system of a URI, or of a local path, and the path within."""
    if "://" in uri or uri.startswith("file:"):
        filesystem, path = pyarrow.fs.FileSystem.from_uri(uri)
        return filesystem, path
    return pyarrow.fs.LocalFileSystem(), uri
