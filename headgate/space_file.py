"""Search spaces as files: YAML or JSON to the API's message, and the default one as commented YAML.

families:
  xgboost:
    max_depth: {integers: [3, 10]}
    learning_rate: {numbers: [0.01, 0.3], log: true}
    booster: {choices: [gbtree, dart]}
    tree_method: {fixed: hist}
pinned:
  - family: xgboost
    parameters: {max_depth: 6}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from google.protobuf import struct_pb2
from google.protobuf.json_format import MessageToDict, ParseDict

from headgate.errors import InputError
from headgate.v1.search_pb2 import ParameterSpace, SearchSpace

_KINDS = ("integers", "numbers", "choices", "fixed")


def read_space(path: str | Path) -> SearchSpace:
    """Reads a space from a YAML or JSON file. Raises: InputError naming the place in the file."""
    try:
        body = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path} is no YAML or JSON: {' '.join(str(error).split())}") from error
    try:
        return parse_space(body)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def parse_space(body: object) -> SearchSpace:
    """The API's message for a decoded file. Raises: InputError naming the place."""
    top = _mapping(body, "the file", {"families", "pinned"})
    space = SearchSpace()
    for family, parameters in _mapping(_given(top, "families", {}), "families").items():
        entry = space.families[family]
        for name, values in _mapping(
            {} if parameters is None else parameters, f"families.{family}"
        ).items():
            place = f"families.{family}.{name}"
            entry.parameters[name].CopyFrom(_parameter(values, place))
    pinned = _given(top, "pinned", [])
    if not isinstance(pinned, list):
        raise InputError("pinned must be a list of {family, parameters}")
    for index, item in enumerate(pinned):
        place = f"pinned[{index}]"
        fields = _mapping(item, place, {"family", "parameters"})
        if not isinstance(fields.get("family"), str):
            raise InputError(f"{place}.family must be the name of a family")
        configuration = space.pinned.add(family=fields["family"])
        wanted = _mapping(_given(fields, "parameters", {}), f"{place}.parameters")
        configuration.parameters.CopyFrom(ParseDict(dict(wanted), struct_pb2.Struct()))
    return space


def _given(fields: Mapping[str, Any], key: str, default: object) -> object:
    """A key's value; the default when it is absent or left empty in the file."""
    value = fields.get(key)
    return default if value is None else value


def _mapping(value: object, place: str, known: set[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{place} must be a mapping")
    for key in value:
        if not isinstance(key, str):
            raise InputError(f"{place}: the key {key!r} must be text")
        if known is not None and key not in known:
            raise InputError(f"{place}: unknown key {key!r}; use {', '.join(sorted(known))}")
    return value


def _parameter(values: object, place: str) -> ParameterSpace:
    fields = _mapping(values, place, {*_KINDS, "log"})
    kinds = [kind for kind in _KINDS if kind in fields]
    if len(kinds) != 1:
        raise InputError(f"{place} needs exactly one of {', '.join(_KINDS)}")
    kind, given, log = kinds[0], fields[kinds[0]], fields.get("log", False)
    parameter = ParameterSpace()
    if kind in ("integers", "numbers"):
        low, high = _bounds(given, f"{place}.{kind}", whole=kind == "integers")
        target = getattr(parameter, kind)
        target.low, target.high, target.log = low, high, bool(log)
    elif "log" in fields:
        raise InputError(f"{place}.log belongs to integers and numbers only")
    elif kind == "choices":
        if not isinstance(given, list) or not given:
            raise InputError(f"{place}.choices must be a list that is not empty")
        for index, choice in enumerate(given):
            parameter.choices.values.append(_scalar(choice, f"{place}.choices[{index}]"))
    else:
        parameter.fixed.CopyFrom(_scalar(given, f"{place}.fixed"))
    return parameter


def _bounds(given: object, place: str, *, whole: bool) -> tuple[float, float]:
    kinds: tuple[type, ...] = (int,) if whole else (int, float)
    if isinstance(given, list) and len(given) == 2:
        low, high = (_number(bound) for bound in given)
        if not any(isinstance(v, bool) or not isinstance(v, kinds) for v in (low, high)):
            return low, high
    raise InputError(f"{place} must be [low, high], two {'whole ' if whole else ''}numbers")


def _number(bound: Any) -> Any:  # noqa: ANN401 - a scalar of a decoded file
    """The bound; a number like `1e-6`, which YAML 1.1 takes for text, as a float."""
    if isinstance(bound, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", bound):
        return float(bound)
    return bound


def _scalar(value: object, place: str) -> struct_pb2.Value:
    if not (value is None or isinstance(value, (bool, int, float, str))):
        raise InputError(f"{place} must be text, a number, true, false or null")
    return ParseDict(cast(Any, value), struct_pb2.Value())


def format_space(space: SearchSpace) -> str:
    """Commented YAML that `read_space` reads back."""
    lines = [
        "# Headgate search space. Keep what you change, drop the rest: what is absent keeps its",
        "# default. Kinds: integers, numbers (both [low, high], optional log), choices, fixed.",
        "families:",
    ]
    for family in sorted(space.families):
        entry = space.families[family]
        lines.append(f"  {family}:  # {entry.description}")
        for name, parameter in entry.parameters.items():
            default = _inline(MessageToDict(parameter.default_value))
            lines.append(f"    # {parameter.description} Default: {default}.")
            lines.append(f"    {name}: {_format_parameter(parameter)}")
    lines += [
        "# Configurations to try first:",
        "# pinned:",
        "#   - family: FAMILY",
        "#     parameters: {NAME: VALUE}",
    ]
    return "\n".join(lines) + "\n"


def _inline(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)


def _format_parameter(parameter: ParameterSpace) -> str:
    kind = parameter.WhichOneof("kind")
    if kind in ("integers", "numbers"):
        bounds = getattr(parameter, kind)
        log = ", log: true" if bounds.log else ""
        return f"{{{kind}: [{bounds.low!r}, {bounds.high!r}]{log}}}"
    if kind == "choices":
        values = [_inline(MessageToDict(value)) for value in parameter.choices.values]
        return f"{{choices: [{', '.join(values)}]}}"
    return f"{{fixed: {_inline(MessageToDict(parameter.fixed))}}}"
