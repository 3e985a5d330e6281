"""Runs blocking service calls off the event loop, and ends streams when the server drains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from controller.api.settings import ApiSettings
from controller.domain.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Two pools: one for calls of milliseconds, one for calls of seconds that cannot starve it."""

    def __init__(self, settings: ApiSettings) -> None:
        self._quick = ThreadPoolExecutor(settings.call_threads, "api-call")
        self._slow = ThreadPoolExecutor(settings.reading_threads, "api-read")

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a call that blocks for milliseconds. It runs to its end even if the caller goes."""
        return await self._run(self._quick, lambda: function(*args, **kwargs))

    async def slow(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a call that may block for seconds or minutes."""
        return await self._run(self._slow, lambda: function(*args, **kwargs))

    async def iterate(self, items: Iterator[T]) -> AsyncIterator[T]:
        """Yields what a blocking iterator yields."""
        while batch := await self.slow(_next, items):
            yield batch[0]

    def close(self) -> None:
        """Takes no more calls; those that run go on to their end. Idempotent."""
        self._quick.shutdown(wait=False)
        self._slow.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    async def _run(pool: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, function)


def _next(items: Iterator[T]) -> tuple[T] | tuple[()]:
    """The next item in a tuple, an empty one at the end: a future cannot hold StopIteration."""
    for item in items:
        return (item,)
    return ()


class Drain:
    """Tells long calls that the server is about to stop."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    def begin(self) -> None:
        """Ends all streams that are followed through `until_begun`. Idempotent."""
        self._begun.set()

    async def until_begun(self, items: AsyncIterator[T]) -> AsyncIterator[T]:
        """Yields the items. Raises: Unavailable once the drain has begun and none is ready."""
        begun = asyncio.ensure_future(self._begun.wait())
        try:
            while item := await self._next_before(begun, items):
                yield item[0]
        finally:
            begun.cancel()

    @staticmethod
    async def _next_before(
        begun: asyncio.Future[Any], items: AsyncIterator[T]
    ) -> tuple[T] | tuple[()]:
        """The next item in a tuple, an empty one at the end. Raises: Unavailable."""
        following: asyncio.Future[Any] = asyncio.ensure_future(_anext(items))
        try:
            await asyncio.wait({begun, following}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                raise Unavailable("the controller is shutting down; call again in a moment")
            result: tuple[T] | tuple[()] = following.result()
        finally:
            if not following.done():
                following.cancel()
                await asyncio.wait({following})
        return result


async def _anext(items: AsyncIterator[T]) -> tuple[T] | tuple[()]:
    """The next item in a tuple, an empty one at the end."""
    async for item in items:
        return (item,)
    return ()
