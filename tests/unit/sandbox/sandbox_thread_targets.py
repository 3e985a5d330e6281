"""Jobs that count which of their own threads work."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from xgboost import XGBClassifier

BUSY_TICKS = 5
"""50 ms of processor time: a helper thread that only hands out work takes less."""

LEAST_SECONDS = 0.6
"""Of processor time that a job shall burn: every thread that takes part gets its ticks."""


def _xgboost() -> None:
    X, y = _noise(20_000, 50)
    XGBClassifier(n_estimators=5, n_jobs=0).fit(X, y)  # 0: as many as OpenMP gives


def _hist_gradient_boosting() -> None:
    X, y = _noise(20_000, 50)
    HistGradientBoostingClassifier(max_iter=10, early_stopping=False).fit(X, y)


def _blas() -> None:
    X, _ = _noise(1500, 1500)
    for _ in range(3):
        X @ X


def _forest() -> None:
    X, y = _noise(4000, 20)
    RandomForestClassifier(n_estimators=20, n_jobs=-1).fit(X, y)


WORK: dict[str, Callable[[], None]] = {
    "xgboost": _xgboost,
    "hist_gradient_boosting": _hist_gradient_boosting,
    "blas": _blas,
    "forest": _forest,
}


def working_threads(library: str) -> int:
    """How many of this process's threads worked, of those alive together."""
    with _Sampler() as sampler:
        begin = time.process_time()
        while time.process_time() - begin < LEAST_SECONDS:
            WORK[library]()
    return sampler.busy_count


def idle_processor_share(_: None) -> float:
    """Processor time over wall time while the job sleeps after a parallel fit."""
    _xgboost()
    _hist_gradient_boosting()
    begin, began = time.process_time(), time.monotonic()
    time.sleep(0.3)
    return (time.process_time() - begin) / (time.monotonic() - began)


class _Sampler:
    """Reads the processor time of every thread while a block runs, its own left out.

    busy_count: most threads there at once that had all worked; joblib has new ones every fit.
    """

    def __enter__(self) -> _Sampler:
        self.busy_count = 0
        self._is_over = threading.Event()
        self._before = _ticks()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        own = threading.get_native_id()
        first = dict(self._before)
        while not self._is_over.wait(0.01):
            now = _ticks()
            now.pop(own, None)
            grown = [now[tid] - first.setdefault(tid, 0) for tid in now]
            self.busy_count = max(self.busy_count, sum(each >= BUSY_TICKS for each in grown))


def _ticks() -> dict[int, int]:
    """Processor time of each thread, in hundredths of a second."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            fields = (task / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        found[int(task.name)] = (
            (int(fields[11]) + int(fields[12])) * 100 // os.sysconf("SC_CLK_TCK")
        )
    return found


def _noise(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.random((rows, columns), dtype=np.float32), random.integers(0, 2, rows)
