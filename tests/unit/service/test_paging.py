"""Page sizes, page tokens and their seal."""

from __future__ import annotations

import pytest

from controller.domain.errors import InvalidField
from controller.ports.store import Page
from controller.service.paging import Pager, Seal

SECRET = b"0123456789abcdef"


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (1000, 1000), (1001, 1000)])
def test_sizes(asked: int, given: int) -> None:
    assert Pager(SECRET).page(asked, "", "list") == Page(given)


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InvalidField) as caught:
        Pager(SECRET).page(-1, "")
    assert caught.value.violations[0].field == "page_size"


def test_a_token_leads_to_the_next_page() -> None:
    pager = Pager(SECRET)
    token = pager.token("41", "list", "namespaces/a")
    assert pager.page(5, token, "list", "namespaces/a") == Page(5, "41")
    assert Pager(SECRET).page(5, token, "list", "namespaces/a").after == "41"


def test_the_end_has_no_token() -> None:
    assert Pager(SECRET).token("", "list") == ""


def _flipped(token: str, index: int) -> str:
    return token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]


def test_foreign_and_forged_tokens_are_refused() -> None:
    pager = Pager(SECRET)
    token = pager.token("41", "list", "namespaces/a")
    forged = [_flipped(token, index) for index in range(len(token) - 1)]
    foreign = Pager(b"fedcba9876543210").token("41", "list", "namespaces/a")
    for bad in (*forged, foreign, "x", "é", "=", "AAAA", token + "AAAA"):
        with pytest.raises(InvalidField) as caught:
            pager.page(5, bad, "list", "namespaces/a")
        assert caught.value.violations[0].field == "page_token"


@pytest.mark.parametrize("scope", [("list", "namespaces/b"), ("list",), ("listn", "amespaces/a")])
def test_a_token_is_bound_to_its_scope(scope: tuple[str, ...]) -> None:
    pager = Pager(SECRET)
    with pytest.raises(InvalidField):
        pager.page(5, pager.token("41", "list", "namespaces/a"), *scope)


def test_a_seal_needs_a_real_secret() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Seal(b"short")
