"""Remembers answered calls by `request_id`, so that a repeated call does nothing twice.

Use inside the transaction of the change: `recall` first, `remember` with the new resource's name
before the commit, so that the change and its memory are stored together.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import is_dataclass

from controller.domain.codec import Json, to_json
from controller.domain.errors import InvalidField
from controller.ports.clock import Clock
from controller.ports.metrics import Metrics
from controller.ports.store import StoredRequest, Transaction


def fingerprint(*parts: object) -> str:
    """A hash of a call's payload; the parts are JSON values or dataclasses. Pure."""
    text = json.dumps([_plain(part) for part in parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(part: object) -> Json:
    return to_json(part) if is_dataclass(part) and not isinstance(part, type) else part


class RequestMemory:
    """What was answered to calls with a `request_id`, kept in the store."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics

    def recall(self, tx: Transaction, request_id: str, method: str, fingerprint: str) -> str | None:
        """The name of the resource that the first such call made; None for the first call or
        without a `request_id`.

        Raises: InvalidField when `request_id` is no UUID, or was used with another payload.
        """
        if not request_id:
            return None
        stored = tx.get_request(_checked(request_id), method)
        if stored is None:
            return None
        if stored.fingerprint != fingerprint:
            raise InvalidField(
                "request_id",
                f"{request_id} was used for another request",
                "use a new UUID for each new request",
                "REQUEST_ID_REUSED",
            )
        self._metrics.request_replayed(method)
        return stored.resource_name

    def remember(
        self, tx: Transaction, request_id: str, method: str, fingerprint: str, resource_name: str
    ) -> None:
        """Keeps the answer of a call; does nothing without a `request_id`."""
        if request_id:
            request = StoredRequest(fingerprint, resource_name)
            tx.put_request(_checked(request_id), method, request, self._clock.now())


def _checked(request_id: str) -> str:
    """The UUID in lower case. Raises: InvalidField when it is none in the usual spelling."""
    try:
        parsed = str(uuid.UUID(request_id))
    except ValueError:
        parsed = ""
    if parsed != request_id.lower():
        raise InvalidField(
            "request_id",
            f"{request_id[:80]!r} is no UUID",
            "use a UUID such as 123e4567-e89b-12d3-a456-426614174000, or leave it empty",
        )
    return parsed
