"""Following a search: the latest state whenever something changed, never a queue of old ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from controller.domain.errors import InvalidField, NotFound
from controller.domain.names import SearchName
from controller.domain.records import Search, Trial
from controller.domain.states import is_search_final
from controller.ports.clock import Clock
from controller.ports.store import Store
from controller.service.paging import Seal
from controller.service.searches import view
from controller.service.views import SearchView, WatchStep

HEARTBEAT_SECONDS = 15.0
"""Longest time between two steps."""
_BATCH = 100
"""Most trials of a step: with tracebacks and stderr tails they stay far below 4 MiB."""


@dataclass(frozen=True)
class _Read:
    view: SearchView
    trials: tuple[Trial, ...]
    revision: int
    is_complete: bool


class WatchService:
    """Level-triggered by the store's revision. One instance a store; lives as long as that.

    seal: signs resume tokens.
    """

    def __init__(
        self, store: Store, clock: Clock, seal: Seal, heartbeat_seconds: float = HEARTBEAT_SECONDS
    ) -> None:
        self._store = store
        self._clock = clock
        self._seal = seal
        self._heartbeat_seconds = heartbeat_seconds
        self._lock = Lock()
        self._watchers: dict[str, set[_Watcher]] = {}
        store.on_change(self._changed)

    async def watch(self, name: SearchName, resume_token: str = "") -> AsyncIterator[WatchStep]:
        """Yields until the search has ended, or is deleted.

        Raises: NotFound, InvalidField naming `resume_token`.
        """
        since = self._opened(name, resume_token)
        is_first = True
        with self._watching(str(name)) as watcher:
            while True:
                watcher.changed.clear()
                read = await asyncio.to_thread(self._read, str(name), since)
                if read is None:
                    if is_first:
                        raise NotFound(str(name))
                    return
                if is_first or read.revision > since:
                    since, is_first = max(since, read.revision), False
                    yield WatchStep(read.view, read.trials, self._sealed(name, since))
                if not read.is_complete:
                    continue
                if is_search_final(read.view.search.state):
                    return
                if not await self._woken(watcher):
                    yield WatchStep(None, (), self._sealed(name, since), is_heartbeat=True)

    async def _woken(self, watcher: _Watcher) -> bool:
        """Waits for a change; False when the time for a heartbeat has come first."""
        try:
            # Not `wait_for`, which in Python 3.11 loses a cancellation that comes with the event.
            async with asyncio.timeout(self._heartbeat_seconds):
                await watcher.changed.wait()
        except TimeoutError:
            return False
        return True

    def _read(self, name: str, since: int) -> _Read | None:
        with self._store.transaction() as tx:
            search = tx.get(Search, name)
            if search is None:
                return None
            trials = tuple(tx.trials_since(name, since, _BATCH))
            is_complete = len(trials) < _BATCH
            seen = [trial.revision for trial in trials]
            if is_complete:
                seen.append(search.revision)
            seen_view = view(tx, search, self._clock.now())
            return _Read(seen_view, trials, max(seen), is_complete)

    def _sealed(self, name: SearchName, revision: int) -> str:
        return self._seal.close(str(revision), "WatchSearch", str(name))

    def _opened(self, name: SearchName, token: str) -> int:
        if not token:
            return 0
        try:
            return int(self._seal.open(token, "WatchSearch", str(name)))
        except ValueError:
            raise InvalidField(
                "resume_token",
                "it was not given by a watch of this search",
                "send the resume_token of the last message, or leave it empty to begin anew",
            ) from None

    @contextmanager
    def _watching(self, name: str) -> Iterator[_Watcher]:
        watcher = _Watcher(asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._watchers.setdefault(name, set()).add(watcher)
        try:
            yield watcher
        finally:
            with self._lock:
                self._watchers[name].discard(watcher)
                if not self._watchers[name]:
                    del self._watchers[name]

    def _changed(self, name: str) -> None:
        with self._lock:
            watchers = tuple(self._watchers.get(name, ()))
        for watcher in watchers:
            watcher.wake()


@dataclass(frozen=True, eq=False)
class _Watcher:
    loop: asyncio.AbstractEventLoop
    changed: asyncio.Event

    def wake(self) -> None:
        """From any thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.changed.set)
