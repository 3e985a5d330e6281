"""Options that several commands share, and their types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from headgate.errors import InputError
from headgate.units import parse_bytes, parse_duration

_F = TypeVar("_F", bound=Callable[..., Any])


class _Parsed(click.ParamType[float]):
    """A value read by a function that raises InputError."""

    def __init__(self, name: str, parse: Callable[[str], float]) -> None:
        self.name = name
        self._parse = parse

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, (int, float)):
            return value
        try:
            return self._parse(str(value))
        except InputError as error:
            self.fail(str(error), param, ctx)


DURATION = _Parsed("duration", parse_duration)
"""`90s`, `5m`, `1h30m`: seconds."""

SIZE = _Parsed("size", parse_bytes)
"""`512MiB`, `2GiB`: bytes."""

search_argument = click.argument("name", metavar="SEARCH")


def limit_options(command: _F) -> _F:
    """What a trial may use and a model must hold to."""
    for option in reversed(
        [
            click.option(
                "--memory-per-trial", type=SIZE, metavar="SIZE", help="Memory of a trial."
            ),
            click.option(
                "--time-per-trial", type=DURATION, metavar="TIME", help="Time of a trial."
            ),
            click.option("--max-concurrent", type=int, metavar="N", help="Trials at once."),
            click.option("--max-model-size", type=SIZE, metavar="SIZE", help="Largest model."),
            click.option(
                "--max-latency", type=DURATION, metavar="TIME", help="Longest one-row prediction."
            ),
            click.option(
                "--shrink",
                type=click.Choice(["none", "same-result", "any"]),
                help="What the gate may change of a candidate that does not fit. "
                "Default: same-result.",
            ),
        ]
    ):
        command = option(command)
    return command
