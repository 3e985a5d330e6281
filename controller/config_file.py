"""The controller's configuration file: YAML. So far it holds the quotas of namespaces.

quotas:
  default:            # a namespace's id
    memory: 8GiB      # the most that its trials may hold at once; leave out for no limit
    cpus: 4
    gpus: 0.5
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from controller.domain.errors import InvalidField
from controller.domain.names import check_id
from controller.domain.records import Quota
from headgate.errors import InputError
from headgate.units import parse_bytes

_PARTS = ("memory", "cpus", "gpus")


def read_config(text: str) -> Mapping[str, Quota]:
    """Quotas by namespace id. Raises: ValueError naming the entry and what would be right."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"it is no YAML: {str(error).splitlines()[0]}") from error
    sections = _mapping(document or {}, "the file")
    unknown = sorted(set(sections) - {"quotas"})
    if unknown:
        raise ValueError(f"section {unknown[0]!r} is unknown; there is `quotas`")
    quotas = _mapping(sections.get("quotas") or {}, "quotas")
    return {_namespace(name): _quota(name, body) for name, body in quotas.items()}


def _namespace(name: object) -> str:
    try:
        return check_id(str(name), "quotas")
    except InvalidField as error:
        raise ValueError(f"quotas: {name!r} is no id of a namespace") from error


def _quota(name: object, body: object) -> Quota:
    parts = _mapping(body, f"quotas.{name}")
    unknown = sorted(set(parts) - set(_PARTS))
    if unknown:
        raise ValueError(f"quotas.{name}.{unknown[0]} is unknown; give {', '.join(_PARTS)}")
    memory = parts.get("memory")
    return Quota(
        memory_bytes=None if memory is None else _bytes(f"quotas.{name}.memory", memory),
        cpus=_number(f"quotas.{name}.cpus", parts.get("cpus")),
        gpus=_number(f"quotas.{name}.gpus", parts.get("gpus")),
    )


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be a mapping, not {value!r:.40}")  # noqa: TRY004
    return {str(key): each for key, each in value.items()}


def _bytes(field: str, value: object) -> int:
    try:
        return int(value) if isinstance(value, int) else parse_bytes(str(value))
    except (ValueError, InputError) as error:
        raise ValueError(f"{field}: {value!r} is no size; write it like 8GiB") from error


def _number(field: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{field}: {value!r} is no number from 0")
    return float(value)
