"""The tokens of drivers and the sessions they open.

A search's record holds only the hash of its token; the token itself is kept as a setting, for
starting the driver again, until the search ends.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from controller.domain.errors import InvalidField, PermissionDenied, Unauthenticated
from controller.domain.records import Search
from controller.ports.store import Transaction

_KEY = "search-token/"


def new_secret() -> str:
    """A fresh token: 256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def sha256(token: str) -> str:
    """The hash that is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def keep(tx: Transaction, search: str, token: str) -> None:
    """Keeps a token until `forget`."""
    tx.put_setting(_KEY + search, token)


def kept(tx: Transaction, search: str) -> str:
    """The token of a search; empty when it is forgotten."""
    return tx.get_setting(_KEY + search) or ""


def forget(tx: Transaction, search: str) -> None:
    """Idempotent."""
    tx.delete_setting(_KEY + search)


def authorized(tx: Transaction, token: str, search: str) -> Search:
    """The search, if the token is its own.

    Raises: Unauthenticated without a valid token; PermissionDenied for one of another search.
    """
    record = tx.get(Search, search)
    digest = sha256(token)
    if token and record is not None and hmac.compare_digest(record.token_sha256, digest):
        return record
    if token and any(hmac.compare_digest(s.token_sha256, digest) for s in tx.list_all(Search)):
        raise PermissionDenied(f"the token is not of {search}", resource=search)
    raise Unauthenticated("the token is of no search; send the one the driver was started with")


def new_session(search: str, attempt: int, random_part: str) -> str:
    """Names one driver's ownership of a search: `{search}#{attempt}#{random}`."""
    return f"{search}#{attempt}#{random_part}"


def search_of(session: str) -> str:
    """The search's name in a session. Raises: InvalidField when it is no session."""
    parts = session.split("#")
    if len(parts) != 3:
        raise InvalidField("session", f"{session!r} is no session", "send what OpenSession gave")
    return parts[0]


def attempt_of(session: str) -> int:
    """The driver attempt in a session; 0 when there is no session."""
    parts = session.split("#")
    return int(parts[1]) if len(parts) == 3 and parts[1].isdecimal() else 0
