"""What measured fits teach about memory bounds: learned from every trial, kept in the store.

One JSON document a family in the store's settings, so that it outlives the process and serves all
searches. `bounds` is a snapshot; learning makes a new one.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from controller.domain.calibration import Bounds, Factor, score
from controller.domain.conformal import Score, Window, factor
from controller.domain.records import FailureKind, Trial
from controller.domain.states import TrialState
from controller.ports.store import Store, Transaction

log = logging.getLogger(__name__)

MEMO_FITS = 256
"""Fits of a family whose exact peak is remembered, the newest."""
_VERSION = 1

Told = Callable[[str, Factor], None]
"""Told of a family's factor when it is new."""


@dataclass(frozen=True)
class _Learned:
    """What is remembered of a family. memo: measured peaks by `Prediction.memo_key`, oldest first,
    of fits with the library versions `versions`.
    """

    window: Window = field(default_factory=Window)
    versions: str = ""
    memo: dict[str, int] = field(default_factory=dict)


class Calibrator:
    """Thread-safe. coverage: the share of fits promised to stay below their bounds."""

    def __init__(
        self,
        store: Store,
        families: Iterable[str],
        coverage: float,
        told: Told = lambda _family, _factor: None,
    ) -> None:
        self._coverage = coverage
        self._told = told
        self._lock = threading.Lock()
        self._families = tuple(families)
        with store.transaction() as tx:
            self._learned = {family: _read(tx, family) for family in self._families}
        self._bounds = self._snapshot()

    @property
    def bounds(self) -> Bounds:
        """As of now; immutable."""
        return self._bounds

    def learn(self, tx: Transaction, trial: Trial) -> None:
        """Takes in how an attempt of a trial ended, if it says anything about memory. Idempotent by
        trial and attempt.
        """
        changed = self._after(trial)
        if changed is None:
            return
        tx.put_setting(_key(trial.family), json.dumps(_to_json(changed)))
        with self._lock:
            self._learned[trial.family] = changed
            self._bounds = self._snapshot()

    def _after(self, trial: Trial) -> _Learned | None:
        predicted = trial.verdict.prediction
        with self._lock:
            learned = self._learned.get(trial.family)
        if learned is None:
            return None
        usage, failure = trial.usage, trial.failure
        if trial.history and usage is None:  # it waits for its next attempt
            usage, failure = trial.history[-1].usage, trial.history[-1].failure
        if usage is None or usage.peak_memory_bytes <= 0:
            return None
        value = score(usage.peak_memory_bytes, predicted.peak_memory_bytes)
        told = Score(trial.name, value, usage.libraries)
        if trial.state is TrialState.SUCCEEDED:
            learned = replace(learned, window=learned.window.told(told))
            return _memorised(learned, predicted.memo_key, usage.peak_memory_bytes, told.versions)
        if failure is not None and failure.kind is FailureKind.MEMORY_EXCEEDED:
            return replace(learned, window=learned.window.told_at_least(told))
        return None

    def _snapshot(self) -> Bounds:
        windows = {family: learned.window for family, learned in self._learned.items()}
        factors = {family: factor(family, windows, self._coverage) for family in self._families}
        for family, each in factors.items():
            self._told(family, each)
        memo: dict[str, int] = {}
        for learned in self._learned.values():
            memo |= learned.memo
        return Bounds(self._coverage, factors, memo)


def _memorised(learned: _Learned, key: str, peak_bytes: int, versions: str) -> _Learned:
    memo = dict(learned.memo) if versions == learned.versions else {}
    if key:
        # The largest that was seen: bounds must hold for the next run, too.
        memo[key] = max(peak_bytes, memo.pop(key, 0))
    while len(memo) > MEMO_FITS:
        del memo[next(iter(memo))]
    return replace(learned, memo=memo, versions=versions)


def _key(family: str) -> str:
    return f"calibration/{family}"


def _to_json(learned: _Learned) -> dict[str, Any]:
    return {"version": _VERSION, **asdict(learned)}


def _read(tx: Transaction, family: str) -> _Learned:
    """What was stored. What cannot be read is forgotten: it is learned again."""
    text = tx.get_setting(_key(family))
    if text is None:
        return _Learned()
    try:
        body = json.loads(text)
        if body["version"] != _VERSION:
            raise ValueError(f"its version is {body['version']}")  # noqa: TRY301 - told below
        window = Window(
            tuple(Score(**each) for each in body["window"]["scores"]),
            tuple(Score(**each) for each in body["window"]["censored"]),
        )
        memo = {str(key): int(value) for key, value in body["memo"].items()}
        return _Learned(window, str(body["versions"]), memo)
    except (ValueError, KeyError, TypeError) as error:
        log.warning("the calibration of %s cannot be read and starts anew: %s", family, error)
        return _Learned()
