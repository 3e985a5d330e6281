"""Starts a Ray of a test's own in this process, again when it does not come up."""

from __future__ import annotations

import gc
import warnings
from typing import Any

import ray

_ATTEMPTS = 3


def start_ray(directory: str, **options: Any) -> Any:
    """`ray.init` below `directory`; returns its context. Raises: RuntimeError after three tries.

    On a busy machine Ray's first server sometimes misses its own 15 s limit.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return ray.init(
                address="local",
                num_cpus=2,
                include_dashboard=False,
                object_store_memory=80 << 20,
                _temp_dir=f"{directory}/{attempt}",
                **options,
            )
        except RuntimeError:
            if attempt == _ATTEMPTS:
                raise
        ray.shutdown()
        with warnings.catch_warnings():
            # The failed start leaves handles of processes that it does not wait for.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
    raise AssertionError
