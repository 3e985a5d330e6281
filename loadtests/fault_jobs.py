"""Jobs that do what goes wrong in real fits: they run in sandbox children, and each function's
argument is what it is told to do it with. Used by `faults`, `enforcement` and the sandbox's tests.
"""

# ruff: noqa: PLC0415  # a child imports only what its job needs
from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MIB = 1 << 20
_held: list[Any] = []


def now(_: None) -> float:
    """When the job was entered, on the clock that all processes of a machine share."""
    return time.monotonic()


def numpy_big(size_bytes: int) -> None:
    """One array, written from end to end: the fastest a process can touch memory."""
    import numpy as np

    _held.append(np.ones(size_bytes // 8))


def numpy_chunks(size_bytes: int) -> None:
    """Arrays of 8 MiB, one after another."""
    import numpy as np

    for _ in range(size_bytes // (8 * MIB)):
        _held.append(np.ones(MIB))


def xgboost_deep(threads: int) -> None:
    """Histograms of thousands of nodes: 1.5 GB if it is let."""
    from xgboost import XGBClassifier

    X, y = _noise(6000, 400)
    XGBClassifier(n_estimators=1, max_depth=12, n_jobs=threads, min_child_weight=0).fit(X, y)


def hist_gradient_boosting(_: None) -> None:
    """Histograms of 500 leaves at 256 bins: 700 MB if it is let."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    X, y = _noise(6000, 400)
    HistGradientBoostingClassifier(
        max_leaf_nodes=1000, min_samples_leaf=1, early_stopping=False, max_iter=30
    ).fit(X, y)


def forest(threads: int) -> None:
    """Thousands of full trees on noise: they only grow."""
    from sklearn.ensemble import RandomForestClassifier

    X, y = _noise(20_000, 5)
    RandomForestClassifier(n_estimators=500, n_jobs=threads, max_features=1).fit(X, y)


def svc(_: None) -> None:
    """A kernel cache of 1000 MB that really fills."""
    from sklearn.svm import SVC

    X, y = _noise(8000, 10)
    SVC(cache_size=1000, C=100.0).fit(X, y)


def liblinear(_: None) -> None:
    """A dense table in the sparse copy of liblinear: 18 bytes a cell."""
    from sklearn.svm import LinearSVC

    X, y = _noise(60_000, 100)
    LinearSVC().fit(X, y)


def openblas(_: None) -> None:
    """A large product of matrices."""
    import numpy as np

    X, _y = _noise(8000, 1000)
    _held.append(X @ X.T.astype(np.float64))


def in_little_room(order: tuple[str, int, int]) -> None:
    """Run another job of this module with so few bytes of address space left.

    order: name of the job, bytes of RLIMIT_DATA that stay free, bytes to touch first. The rest of
    the room is taken by a mapping that nobody touches, as a library's reserve would.
    """
    name, room_bytes, touched_bytes = order
    run: Callable[[None], None] = _LITTLE[name]
    _held.append(bytearray(touched_bytes))
    data = _prepared(name)
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    taken = soft - _data_bytes() - room_bytes
    _held.append(mmap.mmap(-1, taken, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    _held.append(data)
    run(None)


def touch_and_fault(size_bytes: int) -> None:
    """Touch memory, die of SIGSEGV."""
    _held.append(bytearray(size_bytes))
    ctypes.string_at(0)


def touch_and_exit(order: tuple[int, int]) -> None:
    """order: bytes to touch, exit code."""
    _held.append(bytearray(order[0]))
    os._exit(order[1])


def touch_and_wait(order: tuple[int, str]) -> None:
    """order: bytes to touch, a fifo through which the pid is told; waits for ever."""
    _held.append(bytearray(order[0]))
    if order[1]:
        Path(order[1]).write_text(f"{os.getpid()}\n", encoding="ascii")
    while True:
        signal.pause()


def abort(_: None) -> None:
    """Die of SIGABRT."""
    os.abort()


def spin(_: None) -> None:
    """Compute for ever."""
    while True:
        pass


def wrong_configuration(_: None) -> None:
    """What a library refuses."""
    from sklearn.ensemble import RandomForestClassifier

    RandomForestClassifier(max_depth=-3).fit([[0.0], [1.0]], [0, 1])


def bug(_: None) -> None:
    """An exception that says nothing of memory."""
    raise KeyError("missing")


def descendant_hogs(size_bytes: int) -> None:
    """Memory of a process of the job's own: no watchdog sees it, a control group does."""
    code = f"kept = bytearray({size_bytes})"
    done = subprocess.run([sys.executable, "-S", "-c", code], check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the job's own process ended with {done.returncode}")


def write_and_read_file(order: tuple[str, int]) -> int:
    """File pages, which are not the job's: write a file of so many bytes, map it, read it all."""
    name, size_bytes = order
    path = Path(name)
    block = os.urandom(MIB)
    with path.open("wb") as target:
        for _ in range(size_bytes // MIB):
            target.write(block)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
        total = sum(view[offset] for offset in range(0, len(view), 4096))
    path.unlink()
    return total


def _little_openblas(_: None) -> None:
    from sklearn.linear_model import LogisticRegression

    LogisticRegression(max_iter=20).fit(*_prepared("openblas"))


def _little_liblinear(_: None) -> None:
    from sklearn.svm import LinearSVC

    LinearSVC().fit(*_prepared("liblinear"))


def _little_svc(_: None) -> None:
    from sklearn.svm import SVC

    SVC().fit(*_prepared("svc"))


def _little_xgboost(_: None) -> None:
    from xgboost import XGBClassifier

    X, y = _prepared("xgboost")
    XGBClassifier(n_estimators=1, max_depth=12, n_jobs=1, min_child_weight=0).fit(X, y)


def _little_forest(_: None) -> None:
    from sklearn.ensemble import RandomForestClassifier

    X, y = _prepared("forest")
    RandomForestClassifier(n_estimators=200, n_jobs=2, max_features=1).fit(X, y)


def _little_wait(_: None) -> None:
    while True:
        signal.pause()


_LITTLE = {
    "wait": _little_wait,
    "openblas": _little_openblas,
    "liblinear": _little_liblinear,
    "svc": _little_svc,
    "xgboost": _little_xgboost,
    "forest": _little_forest,
}
_tables: dict[str, tuple[Any, Any]] = {}


def _prepared(name: str) -> tuple[Any, Any]:
    """The job's table, made before its room is taken."""
    if name not in _tables:
        rows, columns = {"svc": (3000, 20), "forest": (20_000, 5)}.get(name, (20_000, 200))
        X, y = _noise(rows, columns)
        _tables[name] = (X if name in ("xgboost", "forest") else X.astype("float64"), y)
    return _tables[name]


def _noise(rows: int, columns: int) -> tuple[Any, Any]:
    import numpy as np

    random = np.random.default_rng(0)
    return random.random((rows, columns), dtype=np.float32), random.integers(0, 2, rows)


def _data_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmData:"))
    return int(line.split()[1]) * 1024
