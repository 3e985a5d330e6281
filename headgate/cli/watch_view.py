"""What `headgate watch` draws: a live picture on a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headgate.cli.output import console, short
from headgate.units import format_bytes, format_duration
from headgate.v1 import search_pb2, trial_pb2
from headgate.v1.search_service_pb2 import WatchSearchResponse

TrialState = trial_pb2.Trial.State
_LEADERS, _REJECTED = 10, 5


class View(Protocol):
    """Shows the messages of a watch."""

    def show(self, message: WatchSearchResponse) -> None:
        """Takes the next message up."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def budget_line(search: search_pb2.Search) -> str:
    """State, phase and what is left of the budget."""
    progress = search.progress
    parts = [search_pb2.Search.State.Name(search.state)]
    if search.state == search_pb2.Search.State.PENDING and search.pending_reason:
        parts.append(search.pending_reason)
    elif progress.phase:
        parts.append(progress.phase)
    parts.append(f"{format_duration(progress.elapsed.ToTimedelta().total_seconds())} used")
    if progress.HasField("remaining"):
        left = progress.remaining.ToTimedelta().total_seconds()
        parts.append(f"{format_duration(left)} left")
    of = f" of {search.spec.budget.max_trials}" if search.spec.budget.max_trials else ""
    parts.append(f"{progress.counted_trials}{of} trials")
    rejected = progress.trials_by_state.get("REJECTED", 0)
    if rejected:
        parts.append(f"{rejected} rejected")
    if search.HasField("best_score"):
        parts.append(f"best {search.metric} {search.best_score:.5g}")
    return " · ".join(parts)


def trial_line(trial: trial_pb2.Trial) -> str:
    """One trial in one line."""
    state = TrialState.Name(trial.state)
    if trial.state == TrialState.SUCCEEDED:
        used, predicted = trial.usage.peak_memory_bytes, trial.verdict.prediction.peak_memory_bytes
        seconds = trial.usage.wall_time.ToTimedelta().total_seconds()
        tail = (
            f"score {trial.score:.5g}, {format_duration(seconds)}, "
            f"{format_bytes(used)} used of {format_bytes(predicted)} predicted"
        )
    elif trial.state == TrialState.REJECTED:
        reason = trial_pb2.Verdict.Reason.Name(trial.verdict.reason)
        tail = f"{reason}: {trial.verdict.message}"
    elif trial.failure.message:
        kind = trial_pb2.TrialFailure.Kind.Name(trial.failure.kind)
        tail = f"{kind}: {trial.failure.message}"
    else:
        tail = trial.verdict.message
    return f"trial {trial.number} {trial.family} {state}: {tail}"


class PlainView:
    """One line for each thing that happens."""

    def __init__(self) -> None:
        self._last = ""
        self._states: dict[int, int] = {}

    def show(self, message: WatchSearchResponse) -> None:
        """Prints what is new."""
        for trial in message.trials:
            if self._states.get(trial.number) != trial.state:
                self._states[trial.number] = trial.state
                if trial.state not in (TrialState.ADMITTED, TrialState.RUNNING):
                    click.echo(trial_line(trial))
        if message.HasField("search"):
            head = (
                f"{short(message.search.name)} {search_pb2.Search.State.Name(message.search.state)}"
            )
            phase = message.search.pending_reason or message.search.progress.phase
            if (line := f"{head}: {phase}" if phase else head) != self._last:
                self._last = line
                click.echo(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class LiveView:
    """A picture that is drawn anew with every change."""

    def __init__(self) -> None:
        self._live = Live(console=console(), refresh_per_second=4)
        self._search: search_pb2.Search | None = None
        self._trials: dict[int, trial_pb2.Trial] = {}

    def show(self, message: WatchSearchResponse) -> None:
        """Takes the change into the picture."""
        if message.HasField("search"):
            self._search = message.search
        self._trials.update({trial.number: trial for trial in message.trials})
        if self._search is not None:
            self._live.update(self._picture(self._search))

    def _picture(self, search: search_pb2.Search) -> Group:
        trials = list(self._trials.values())
        parts: list[Text | Table] = [
            Text(f"{short(search.name)}  {budget_line(search)}", style="bold"),
            self._leaders(search, trials),
        ]
        rejected = [t for t in trials if t.state == TrialState.REJECTED]
        if rejected:
            parts.append(Text(f"{len(rejected)} rejected at the gate, the latest:"))
            newest = sorted(rejected, key=lambda t: t.number)[-_REJECTED:]
            parts += [Text(f"  {trial_line(trial)}", style="yellow") for trial in newest]
        ended = {TrialState.FAILED, TrialState.INFEASIBLE, TrialState.TIMED_OUT}
        failed = sorted((t for t in trials if t.state in ended), key=lambda t: t.number)
        parts += [Text(f"  {trial_line(trial)}", style="red") for trial in failed[-_REJECTED:]]
        return Group(*parts)

    def _leaders(self, search: search_pb2.Search, trials: list[trial_pb2.Trial]) -> Table:
        table = Table("trial", "family", "state", search.metric, "time", "used", "predicted")
        scored = [t for t in trials if t.state == TrialState.SUCCEEDED]
        scored.sort(key=lambda t: t.score, reverse=search.is_metric_maximized)
        running = [t for t in trials if t.state == TrialState.RUNNING]
        for trial in scored[:_LEADERS] + running:
            has_score = trial.HasField("score")
            seconds = trial.usage.wall_time.ToTimedelta().total_seconds()
            table.add_row(
                str(trial.number),
                trial.family,
                TrialState.Name(trial.state),
                f"{trial.score:.5g}" if has_score else "",
                format_duration(seconds) if has_score else "",
                format_bytes(trial.usage.peak_memory_bytes) if has_score else "",
                format_bytes(trial.verdict.prediction.peak_memory_bytes),
            )
        return table

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)
