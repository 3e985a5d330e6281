"""What the controller wants of this driver now, shared by all of its threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from headgate.v1 import search_pb2, trial_pb2, worker_service_pb2

Mode = worker_service_pb2.Directive.Mode
Directive = worker_service_pb2.Directive

_RANK = {Directive.RUN: 0, Directive.PAUSE: 0, Directive.FINISH: 1, Directive.CANCEL: 2}


class Control:
    """Thread-safe. `changed` guards this object and every other state of the driver that threads
    wait for: it is notified whenever any of it changes. No I/O happens under it.

    clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.changed = threading.Condition()
        self._clock = clock
        self._mode: Mode = Directive.RUN
        self._mode_since = clock()
        self._spec = search_pb2.SearchSpec()
        self._spec_revision = 0
        self._deadline: float | None = None
        self._fatal: BaseException | None = None
        self._phase = "starting"
        self._is_hungry = False
        self._nodes: tuple[worker_service_pb2.NodeReport, ...] = ()
        self._most_running: int | None = None
        self._promote: Callable[[Sequence[trial_pb2.Trial]], None] | None = None

    def apply(self, directive: Directive) -> None:
        """Takes over what an answer said. Answers overtake one another: an order to end is never
        taken back, and an older spec never replaces a newer one.
        """
        with self.changed:
            mode = directive.mode
            if mode in _RANK and _RANK[mode] >= _RANK[self._mode] and mode != self._mode:
                self._mode, self._mode_since = mode, self._clock()
            if directive.HasField("spec") and directive.spec_revision >= self._spec_revision:
                self._spec, self._spec_revision = directive.spec, directive.spec_revision
            self._deadline = self._deadline_of(directive)
            has_most = directive.HasField("most_running")
            self._most_running = directive.most_running if has_most else None
            if self._promote is not None:
                self._promote(directive.startable)
            self.changed.notify_all()

    def promote_with(self, promote: Callable[[Sequence[trial_pb2.Trial]], None]) -> None:
        """Has `promote` called, under `changed`, with the trials that a directive lets start."""
        with self.changed:
            self._promote = promote

    def _deadline_of(self, directive: Directive) -> float | None:
        if not directive.HasField("remaining_time"):
            return None
        return self._clock() + directive.remaining_time.ToTimedelta().total_seconds()

    def start(self, spec: search_pb2.SearchSpec, directive: Directive) -> None:
        """Takes over the spec of the session's opening, then what it says to do."""
        with self.changed:
            self._spec, self._spec_revision = spec, directive.spec_revision
            self.apply(directive)

    def finish(self) -> None:
        """The driver itself found that nothing is left to try."""
        self.apply(Directive(mode=Directive.FINISH))

    def fail(self, error: BaseException) -> None:
        """A thread cannot go on: the main thread raises `error`. The first one counts."""
        with self.changed:
            self._fatal = self._fatal or error
            self.changed.notify_all()

    def check(self) -> None:
        """Raises what a thread failed with, if any did."""
        with self.changed:
            if self._fatal is not None:
                raise self._fatal

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        """Blocks until `predicate` is true, time is up or a thread failed; its value then."""
        with self.changed:
            self.changed.wait_for(lambda: self._fatal is not None or predicate(), timeout)
            return predicate()

    def spawn(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Runs `work` in a daemon thread; what it raises ends the driver through `fail`."""

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 the main thread raises it
                self.fail(error)

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        return thread

    @property
    def mode(self) -> Mode:
        """What to do now."""
        with self.changed:
            return self._mode

    @property
    def is_running(self) -> bool:
        """New trials may start."""
        with self.changed:
            return self._fatal is None and self._mode == Directive.RUN

    @property
    def is_ending(self) -> bool:
        """Running trials are to be ended."""
        with self.changed:
            return self._fatal is not None or self._mode in (Directive.FINISH, Directive.CANCEL)

    @property
    def mode_seconds(self) -> float:
        """How long the mode has been what it is."""
        with self.changed:
            return self._clock() - self._mode_since

    @property
    def spec(self) -> search_pb2.SearchSpec:
        """The spec as it is now; not to be changed."""
        with self.changed:
            return self._spec

    @property
    def spec_revision(self) -> int:
        """Revision of `spec`."""
        with self.changed:
            return self._spec_revision

    @property
    def remaining_seconds(self) -> float | None:
        """Wall time left of the budget; None without a time budget."""
        with self.changed:
            return None if self._deadline is None else max(0.0, self._deadline - self._clock())

    def measured(self, nodes: Sequence[worker_service_pb2.NodeReport]) -> None:
        """What agents measured, for the next heartbeat."""
        with self.changed:
            self._nodes = tuple(nodes)

    def take_nodes(self) -> tuple[worker_service_pb2.NodeReport, ...]:
        """What agents measured since the last call."""
        with self.changed:
            nodes, self._nodes = self._nodes, ()
            return nodes

    @property
    def most_running(self) -> int | None:
        """Trials to run at once while another search waits for room; None while none does."""
        with self.changed:
            return self._most_running

    @property
    def is_hungry(self) -> bool:
        """Nothing can be done until the controller lets a trial start."""
        with self.changed:
            return self._is_hungry

    @is_hungry.setter
    def is_hungry(self, value: bool) -> None:
        with self.changed:
            self._is_hungry = value

    @property
    def phase(self) -> str:
        """What the driver is doing, for people."""
        with self.changed:
            return self._phase

    @phase.setter
    def phase(self, text: str) -> None:
        with self.changed:
            self._phase = text
            self.changed.notify_all()
