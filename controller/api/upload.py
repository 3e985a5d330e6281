"""Takes in the message stream of CreateDataset: a header, then the bytes of a file.

The file is removed when the call ends, however it ends. If the caller goes away while the table is
already being read, the reading is finished first: a repeated call with the same `request_id` then
finds the dataset.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

from controller.api.calls import Threads
from controller.api.interceptors import Context
from controller.domain.errors import InvalidField, ResourceExhausted
from headgate.v1 import dataset_service_pb2 as pb

MAX_CHUNK_BYTES = 1024 * 1024
"""Largest chunk of one message, as the proto says."""

Parts = AsyncIterator[pb.CreateDatasetRequest]
"""The messages of the stream."""


async def receive_header(parts: Parts) -> pb.CreateDatasetHeader:
    """The first message. Raises: InvalidField when there is none, or it is not a usable header."""
    async for part in parts:
        if part.WhichOneof("part") != "header":
            raise InvalidField(
                "header", "the first message carries none", "send the header, then the chunks"
            )
        if part.header.WhichOneof("source") is None:
            raise InvalidField("header.uri", "no source is given", "set upload_name or uri")
        return part.header
    raise InvalidField("header", "the stream is empty", "send a header, then the file's bytes")


async def receive_nothing(parts: Parts) -> None:
    """Waits for the stream's end. Raises: InvalidField when a chunk or a second header comes."""
    async for part in parts:
        _chunk(part)
        raise InvalidField(
            "chunk", "bytes follow a header with a uri", "send bytes only after upload_name"
        )


async def confirm_end(context: Context) -> None:
    """Waits until it is sure that the stream ended because the caller had sent all of it.

    gRPC ends the stream of a call that was cancelled, or whose connection broke, as it ends a
    complete one, and cancels the handler a moment later; half a file would be taken for a whole
    one. Sending the initial metadata cannot succeed on such a call, so it waits that moment out.
    """
    await context.send_initial_metadata(())


async def receive_file(parts: Parts, path: Path, max_bytes: int, threads: Threads) -> None:
    """Writes the chunks to `path`. Raises: InvalidField, ResourceExhausted beyond `max_bytes`."""
    received = 0
    with _open(path) as file:
        async for part in parts:
            chunk = _chunk(part)
            received += len(chunk)
            if received > max_bytes:
                raise ResourceExhausted(
                    f"the upload is larger than the {max_bytes} bytes that the server takes; "
                    "put the table where the server can read it and give its uri",
                    limit_bytes=str(max_bytes),
                )
            await threads.call(file.write, chunk)


def _open(path: Path) -> BinaryIO:
    """Not in a thread: a call that is cancelled meanwhile would leave the file behind."""
    return path.open("wb")


def _chunk(part: pb.CreateDatasetRequest) -> bytes:
    """The bytes of a message after the first. Raises: InvalidField."""
    if part.WhichOneof("part") != "chunk":
        raise InvalidField("header", "it is sent twice or empty", "send chunks after the header")
    if len(part.chunk) > MAX_CHUNK_BYTES:
        raise InvalidField(
            "chunk", f"it has {len(part.chunk)} bytes", f"send at most {MAX_CHUNK_BYTES} a message"
        )
    return part.chunk


def discard_after(task: asyncio.Future[Any], path: Path) -> None:
    """Removes the file when the task is over, and takes note of the task's error."""

    def discard(done: asyncio.Future[Any]) -> None:
        path.unlink(missing_ok=True)
        if not done.cancelled():
            done.exception()  # else asyncio complains of an error nobody waited for

    task.add_done_callback(discard)
