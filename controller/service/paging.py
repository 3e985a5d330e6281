"""Page sizes and page tokens, and the seal that makes tokens tamper-proof.

A token is a sealed sort key. The seal binds it to its scope: the method and every other field of
the list call, so that a token of one list is refused by another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from controller.domain.errors import InvalidField
from controller.ports.store import Page

DEFAULT_PAGE_SIZE = 50
"""Entries of a page when the caller names no number."""

MAX_PAGE_SIZE = 1000
"""Most entries of a page; larger wishes are cut to it."""

_MAC_BYTES = 16  # 128 bits: nobody guesses one


class Seal:
    """Signs short texts for callers to keep and send back. secret: at least 16 random bytes."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("a seal needs a secret of at least 16 bytes")
        self._secret = secret

    def close(self, text: str, *scope: str) -> str:
        """A URL-safe token that holds `text` and opens only with the same scope."""
        raw = text.encode()
        return base64.urlsafe_b64encode(self._mac(raw, scope) + raw).decode().rstrip("=")

    def open(self, token: str, *scope: str) -> str:
        """The text in the token. Raises: ValueError when it is forged or of another scope."""
        try:
            sealed = base64.b64decode(
                token + "=" * (-len(token) % 4), altchars=b"-_", validate=True
            )
        except ValueError:
            raise ValueError("not a token") from None
        mac, raw = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(raw, scope)):
            raise ValueError("not a token of this scope")
        return raw.decode()

    def _mac(self, raw: bytes, scope: tuple[str, ...]) -> bytes:
        parts = [part.encode() for part in scope] + [raw]
        message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._secret, message, hashlib.sha256)[:_MAC_BYTES]


class Pager:
    """Turns `page_size` and `page_token` into a store's page, and a page's end into a token.

    secret: at least 16 random bytes, the same across restarts for tokens to stay valid.
    """

    def __init__(self, secret: bytes) -> None:
        self._seal = Seal(secret)

    def page(self, page_size: int, page_token: str, *scope: str) -> Page:
        """The page that is asked for: size 0 means 50, more than 1,000 means 1,000.

        Raises: InvalidField naming `page_size` or `page_token`.
        """
        if page_size < 0:
            raise InvalidField(
                "page_size", f"{page_size} is negative", "use 0 for the default, or 1 to 1000"
            )
        size = min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        return Page(size, self._after(page_token, scope))

    def token(self, next_after: str, *scope: str) -> str:
        """The token of the page after `next_after`; empty at the end of the list."""
        return self._seal.close(next_after, *scope) if next_after else ""

    def _after(self, page_token: str, scope: tuple[str, ...]) -> str:
        if not page_token:
            return ""
        try:
            return self._seal.open(page_token, *scope)
        except ValueError:
            raise InvalidField(
                "page_token",
                "it was not given by this list call with these arguments",
                "send next_page_token of the page before and leave all other fields as they were",
            ) from None
