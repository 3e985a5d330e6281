"""Keeps answers within what clients take in one message: 4 MiB, unless they are told otherwise.

A page that is larger is asked for again with fewer entries; its token goes on from there. Callers
may get fewer entries than they asked for, as only an empty `next_page_token` ends a list.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from google.protobuf.message import Message

MAX_BYTES = 3 * 1024 * 1024
"""Largest answer of a list that holds more than one entry."""

M = TypeVar("M", bound=Message)
R = TypeVar("R")

Read = Callable[[int], Awaitable[tuple[Sequence[R], str]]]
"""Given a page size, reads records and the token of the page after them."""


async def fitting_page(
    page_size: int, read: Read[R], convert: Callable[[R], M]
) -> tuple[list[M], str]:
    """The page, converted, and the token of the next. Raises what `read` raises."""
    while True:
        records, token = await read(page_size)
        messages = [convert(record) for record in records]
        if len(messages) <= 1 or sum(each.ByteSize() for each in messages) <= MAX_BYTES:
            return messages, token
        page_size = len(messages) // 2
