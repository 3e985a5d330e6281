"""Collects everything that is wrong with a request, so that one answer names all of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from controller.domain.errors import FieldViolation, InvalidArgument


class Violations:
    """A list of violations with their reasons; `raise_if_any` turns it into one error."""

    def __init__(self) -> None:
        self._found: list[tuple[FieldViolation, str]] = []

    def add(self, field: str, description: str, remedy: str, reason: str) -> None:
        """Notes one violation. `reason` is stable and meant for programs."""
        self._found.append((FieldViolation(field, description, remedy), reason))

    def extend(self, error: InvalidArgument) -> None:
        """Takes over all violations of an error raised elsewhere."""
        self._found.extend((violation, error.reason) for violation in error.violations)

    def __bool__(self) -> bool:
        return bool(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def raise_if_any(self) -> None:
        """Raises: InvalidArgument with all violations and the reason of the first."""
        if self._found:
            raise InvalidArgument(tuple(v for v, _ in self._found), self._found[0][1])


def suggestion(given: str, known: Iterable[str]) -> str:
    """What to write instead of `given`: the nearest known words, else all of them (at most 20)."""
    words = list(known)
    near = difflib.get_close_matches(given, words, n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    if not words:
        return "there is none to choose from"
    tail = ", ..." if len(words) > 20 else ""
    return "use one of " + ", ".join(words[:20]) + tail
