"""Etags: what a caller has read, so that a change can be made conditional on it.

An etag covers what a caller may decide on. It leaves out the store's revision, and of a search what
its driver changes many times a minute (heartbeat, counters, best score so far): with them in it,
nobody could ever change a running search conditionally.
"""

from __future__ import annotations

import hashlib
import hmac
import json

from controller.domain.codec import to_json
from controller.domain.errors import EtagMismatch
from controller.domain.records import Record, Search

_REVISION = frozenset({"revision"})

_DRIVER_PROGRESS = frozenset(
    {
        "best_score",
        "best_trial",
        "driver_attempts",
        "driver_failures",
        "driver_id",
        "driver_job",
        "heartbeat_at",
        "next_trial_number",
        "pending_reason",
        "phase",
        "rejections_in_a_row",
        "reservation_sizes_bytes",
        "revision",
        "session",
        "unreachable_seconds",
    }
)


def etag(record: Record) -> str:
    """The record's etag: 16 hexadecimal digits. Pure."""
    left_out = _DRIVER_PROGRESS if isinstance(record, Search) else _REVISION
    body = {key: value for key, value in to_json(record).items() if key not in left_out}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_etag(record: Record, given: str) -> None:
    """Passes when `given` is empty or the record's etag. Raises: EtagMismatch."""
    if given and not hmac.compare_digest(given.encode(), etag(record).encode()):
        raise EtagMismatch(record.name)
