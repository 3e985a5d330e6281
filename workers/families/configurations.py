"""Reading a family's configurations: typed values, the default, variations of it.

Only the standard library is imported here. Numbers that went through JSON or protobuf arrive as
floats, so whole numbers are converted where they are read.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.families.base import Parameter, Parameters, Value


def number(parameters: Parameters, name: str) -> float:
    """The parameter as a float. Raises: ValueError when it is missing or no number."""
    value = _value(parameters, name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"parameter {name!r} must be a number, not {value!r}")  # noqa: TRY004
    return float(value)


def whole(parameters: Parameters, name: str) -> int:
    """The parameter as an int. Raises: ValueError when it is missing or no whole number."""
    value = number(parameters, name)
    if value != int(value):
        raise ValueError(f"parameter {name!r} must be a whole number, not {value!r}")
    return int(value)


def text(parameters: Parameters, name: str) -> str:
    """The parameter as a str. Raises: ValueError when it is missing or no text."""
    value = _value(parameters, name)
    if not isinstance(value, str):
        raise ValueError(f"parameter {name!r} must be a text, not {value!r}")  # noqa: TRY004
    return value


def whole_or_none(parameters: Parameters, name: str) -> int | None:
    """As `whole`, where None means no limit."""
    return None if _value(parameters, name) is None else whole(parameters, name)


def variation(parameters: Sequence[Parameter], **changes: Value) -> dict[str, Value]:
    """The default configuration with some values changed: every parameter whose condition holds.

    Raises: ValueError when a change names an unknown parameter or one whose condition fails.
    """
    chosen: dict[str, Value] = {}
    for parameter in parameters:
        if parameter.condition is not None:
            name, values = parameter.condition
            if chosen.get(name) not in values:
                continue
        chosen[parameter.name] = changes.pop(parameter.name, parameter.default)
    if changes:
        raise ValueError(f"no such parameters in this configuration: {', '.join(sorted(changes))}")
    return chosen


def halvings(value: int, lowest: int) -> tuple[int, ...]:
    """Halves of `value`, rounded down, down to `lowest`: 500, 100 gives 250, 125, 100."""
    steps: list[int] = []
    while value > lowest:
        value = max(lowest, value // 2)
        steps.append(value)
    return tuple(steps)


def _value(parameters: Parameters, name: str) -> Value:
    if name not in parameters:
        raise ValueError(f"parameter {name!r} is missing from the configuration")
    return parameters[name]
