"""Jobs for the sandbox's tests that use the libraries its forkserver has loaded."""

from __future__ import annotations

import numpy as np
import threadpoolctl
from sklearn.ensemble import RandomForestClassifier
from xgboost import XGBClassifier
from xgboost.core import XGBoostError


def hog(_: None) -> None:
    kept = []
    while True:
        kept.append(np.ones(1 << 20))  # 8 MiB


def giant_allocation(_: None) -> None:
    np.ones(1 << 40)


def hog_xgboost(_: None) -> None:
    X = np.random.default_rng(0).random((4000, 400), dtype=np.float32)
    XGBClassifier(n_estimators=1, max_depth=12, n_jobs=2, min_child_weight=0).fit(
        X, np.arange(len(X)) % 2
    )


def hog_forest(_: None) -> None:
    random = np.random.default_rng(0)
    X = random.random((20_000, 5), dtype=np.float32)
    forest = RandomForestClassifier(n_estimators=500, n_jobs=2, max_features=1)
    forest.fit(X, random.integers(0, 2, len(X)))


def bad_parameter(_: None) -> None:
    RandomForestClassifier(max_depth=-3).fit(np.zeros((4, 1)), [0, 1, 0, 1])


def bad_xgboost_parameter(_: None) -> None:
    XGBClassifier(max_depth=-3).fit(np.zeros((4, 1)), [0, 1, 0, 1])


def say_bad_alloc(_: None) -> None:
    raise XGBoostError("bad_malloc: Failed to allocate 123 bytes.")


def pool_threads(_: None) -> list[int]:
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
