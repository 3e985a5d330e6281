"""Reads the bearer token that a call carries."""

from __future__ import annotations

from controller.api.interceptors import Context
from controller.domain.errors import Unauthenticated

KEY = "authorization"
SCHEME = "bearer"


def bearer_token(context: Context) -> str:
    """The token. Raises: Unauthenticated when there is none."""
    for key, value in context.invocation_metadata() or ():
        if key == KEY and isinstance(value, str):
            scheme, _, token = value.partition(" ")
            if scheme.lower() == SCHEME and token.strip():
                return token.strip()
    raise Unauthenticated(f"the call has no token; send the metadata {KEY!r} as 'Bearer TOKEN'")
