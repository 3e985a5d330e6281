"""A handle of one search: follow it, steer it, read its trials."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import MessageToDict

from headgate.errors import ServerError, Unreachable
from headgate.spec import SearchOptions
from headgate.v1 import search_pb2, search_service_pb2, trial_pb2

if TYPE_CHECKING:
    import pandas as pd

    from headgate.connection import Connection

State = search_pb2.Search.State
FINAL_STATES = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
_RETRIED_SECONDS = 60.0
_PAGE_SIZE = 500


class Search:
    """A search on the server. Cheap; holds only its name. Methods raise `headgate.ServerError`."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self.name = name

    def __repr__(self) -> str:
        return f"Search({self.name!r})"

    def get(self) -> search_pb2.Search:
        """The search as it is now."""
        request = search_service_pb2.GetSearchRequest(name=self.name)
        return self._connection.call(lambda: self._connection.searches.GetSearch(request))

    def watch(self) -> Iterator[search_service_pb2.WatchSearchResponse]:
        """Yields a snapshot, then every change until the search has ended; heartbeats left out.

        A broken connection is taken up again where it ended, for up to a minute without an answer.
        """
        token, lost_at = "", None
        while True:
            request = search_service_pb2.WatchSearchRequest(name=self.name, resume_token=token)
            try:
                for message in self._connection.stream(
                    lambda request=request: self._connection.searches.WatchSearch(request)  # type: ignore[misc]
                ):
                    lost_at = None
                    token = message.resume_token or token
                    if not message.is_heartbeat:
                        yield message
            except ServerError as error:
                lost_at = lost_at or time.monotonic()
                is_passing = error.code == "UNAVAILABLE" or isinstance(error, Unreachable)
                if not is_passing or time.monotonic() - lost_at > _RETRIED_SECONDS:
                    raise
                time.sleep(0.5)
            else:
                return

    def wait(self) -> search_pb2.Search:
        """Blocks until the search has ended; returns it in its final state."""
        for _ in self.watch():
            pass
        return self.get()

    def trials(self, states: Sequence[trial_pb2.Trial.State] = ()) -> list[trial_pb2.Trial]:
        """All trials by number, rejected candidates included; only some states when given."""
        found: list[trial_pb2.Trial] = []
        token = ""
        while True:
            request = search_service_pb2.ListTrialsRequest(
                parent=self.name, page_size=_PAGE_SIZE, page_token=token, states=states
            )
            page = self._connection.call(
                lambda request=request: self._connection.searches.ListTrials(request)  # type: ignore[misc]
            )
            found += page.trials
            token = page.next_page_token
            if not token:
                return found

    def trial(self, number: int) -> trial_pb2.Trial:
        """One trial."""
        request = search_service_pb2.GetTrialRequest(name=f"{self.name}/trials/{number}")
        return self._connection.call(lambda: self._connection.searches.GetTrial(request))

    def best(self) -> trial_pb2.Trial | None:
        """The best trial so far, or None."""
        name = self.get().best_trial
        if not name:
            return None
        request = search_service_pb2.GetTrialRequest(name=name)
        return self._connection.call(lambda: self._connection.searches.GetTrial(request))

    def leaderboard(self) -> pd.DataFrame:
        """Trials with a score as a DataFrame, best first. Needs pandas (`headgate[pandas]`)."""
        search = self.get()
        succeeded = self.trials([trial_pb2.Trial.State.SUCCEEDED])
        ordered = sorted(succeeded, key=lambda t: t.score, reverse=search.is_metric_maximized)
        return _frame(ordered)

    def trials_frame(self) -> pd.DataFrame:
        """All trials as a DataFrame. Needs pandas (`headgate[pandas]`)."""
        return _frame(self.trials())

    def log(self) -> str:
        """The driver's log."""
        request = search_service_pb2.GetSearchLogRequest(name=self.name)
        return self._connection.call(lambda: self._connection.searches.GetSearchLog(request)).text

    def cancel(self) -> search_pb2.Search:
        """Ends it without a winner."""
        request = search_service_pb2.CancelSearchRequest(name=self.name)
        return self._connection.call(lambda: self._connection.searches.CancelSearch(request))

    def pause(self) -> search_pb2.Search:
        """Lets running trials finish and starts no new one."""
        request = search_service_pb2.PauseSearchRequest(name=self.name)
        return self._connection.call(lambda: self._connection.searches.PauseSearch(request))

    def resume(self) -> search_pb2.Search:
        """Goes on after a pause."""
        request = search_service_pb2.ResumeSearchRequest(name=self.name)
        return self._connection.call(lambda: self._connection.searches.ResumeSearch(request))

    def stop(self) -> search_pb2.Search:
        """Finishes now with the best so far."""
        request = search_service_pb2.StopSearchRequest(name=self.name)
        return self._connection.call(lambda: self._connection.searches.StopSearch(request))

    def update(self, options: SearchOptions, paths: Sequence[str]) -> search_pb2.Search:
        """Changes budget, families or limits while it runs.

        options: the new values. paths: what changes, for example `spec.budget.time`.
        """
        options.check()
        changed = search_pb2.Search(name=self.name)
        changed.spec.budget.CopyFrom(options.budget())
        changed.spec.limits.CopyFrom(options.limits())
        changed.spec.families.extend(options.families)
        request = search_service_pb2.UpdateSearchRequest(
            search=changed, update_mask=FieldMask(paths=paths)
        )
        return self._connection.call(lambda: self._connection.searches.UpdateSearch(request))

    def delete(self) -> None:
        """Deletes it with its trials, log and files; its model stays."""
        request = search_service_pb2.DeleteSearchRequest(name=self.name)
        self._connection.call(lambda: self._connection.searches.DeleteSearch(request))


def _frame(trials: Sequence[trial_pb2.Trial]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - an optional dependency

    return pd.DataFrame([_row(trial) for trial in trials])


def _row(trial: trial_pb2.Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial_pb2.Trial.State.Name(trial.state),
        "family": trial.family,
        "score": trial.score if trial.HasField("score") else None,
        "predicted_memory_bytes": trial.verdict.prediction.peak_memory_bytes,
        "peak_memory_bytes": trial.usage.peak_memory_bytes,
        "wall_seconds": trial.usage.wall_time.ToTimedelta().total_seconds(),
        "verdict": trial.verdict.message,
        "parameters": MessageToDict(trial.parameters),
    }
