"""Threads for blocking calls, and the drain that ends streams."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from controller.api.calls import Drain, Threads
from controller.api.settings import ApiSettings
from controller.domain.errors import Unavailable


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads(ApiSettings(call_threads=1, reading_threads=1))
    yield threads
    threads.close()


async def test_slow_calls_do_not_hold_up_quick_ones(threads: Threads) -> None:
    release = threading.Event()
    slow = asyncio.ensure_future(threads.slow(release.wait))
    assert await threads.call(lambda: "quick") == "quick"
    release.set()
    assert await slow is True


async def test_arguments_and_errors_pass_through(threads: Threads) -> None:
    assert await threads.call(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.call(divmod, 7, 0)


async def test_blocking_iterators_are_followed_to_their_end(threads: Threads) -> None:
    assert [item async for item in threads.iterate(iter([b"", b"a", b"b"]))] == [b"", b"a", b"b"]


async def test_a_stream_ends_as_it_ends_by_itself() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 0
        yield 1

    assert [n async for n in Drain().until_begun(numbers())] == [0, 1]


async def test_a_stream_that_waits_ends_unavailable_when_the_drain_begins() -> None:
    drain, is_closed, is_waiting = Drain(), asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncIterator[int]:
        try:
            yield 1
            is_waiting.set()
            await asyncio.Event().wait()
        finally:
            is_closed.set()

    seen = []

    async def follow() -> None:
        async for item in drain.until_begun(endless()):
            seen.append(item)

    following = asyncio.ensure_future(follow())
    await is_waiting.wait()
    drain.begin()
    with pytest.raises(Unavailable, match="shutting down"):
        await following
    assert seen == [1]
    assert is_closed.is_set(), "the source is told"


async def test_a_follower_that_goes_away_closes_its_source() -> None:
    is_closed, is_waiting = asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncIterator[int]:
        try:
            is_waiting.set()
            await asyncio.Event().wait()
            yield 1
        finally:
            is_closed.set()

    async def follow() -> None:
        async for _item in Drain().until_begun(endless()):
            pass

    following = asyncio.ensure_future(follow())
    await is_waiting.wait()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert is_closed.is_set()
