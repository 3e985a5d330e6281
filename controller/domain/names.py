"""The one place that knows resource names: parses, checks and prints them.

`_id` is one segment, `_name` the whole path. Ids are lower-case letters, digits and dashes, at most
63 characters, beginning with a letter and not ending with a dash (RFC 1035 label).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Self

from controller.domain.errors import InvalidField

_ID = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")

DEFAULT_NAMESPACE = "default"


def check_id(value: str, field: str) -> str:
    """Returns `value`. Raises: InvalidField naming `field` when it is no id."""
    if not _ID.fullmatch(value):
        raise InvalidField(
            field,
            f"{value!r} is not an id",
            "use lower-case letters, digits and dashes, at most 63, beginning with a letter",
        )
    return value


def _parse(value: str, pattern: str, field: str) -> tuple[str, ...]:
    """Splits `value` by `pattern`, where `*` stands for an id. Raises: InvalidField."""
    wanted, found = pattern.split("/"), value.split("/")
    if len(wanted) != len(found) or any(
        w != f for w, f in zip(wanted, found, strict=True) if w != "*"
    ):
        raise InvalidField(
            field, f"{value!r} is not a resource name", f"use {pattern.replace('*', 'ID')}"
        )
    return tuple(f for w, f in zip(wanted, found, strict=True) if w == "*")


@dataclass(frozen=True, order=True)
class NamespaceName:
    """`namespaces/{namespace}`."""

    namespace_id: str

    @classmethod
    def parse(cls, value: str, field: str = "parent") -> NamespaceName:
        """Raises: InvalidField naming `field`."""
        (namespace,) = _parse(value, "namespaces/*", field)
        return cls(check_id(namespace, field))

    def __str__(self) -> str:
        return f"namespaces/{self.namespace_id}"


@dataclass(frozen=True, order=True)
class _InNamespace:
    """A resource directly below a namespace."""

    namespace_id: str
    resource_id: str

    COLLECTION: ClassVar[str]

    @classmethod
    def parse(cls, value: str, field: str = "name") -> Self:
        """Raises: InvalidField naming `field`."""
        namespace, resource = _parse(value, f"namespaces/*/{cls.COLLECTION}/*", field)
        return cls(check_id(namespace, field), check_id(resource, field))

    @property
    def parent(self) -> NamespaceName:
        """The namespace it is in."""
        return NamespaceName(self.namespace_id)

    def __str__(self) -> str:
        return f"namespaces/{self.namespace_id}/{self.COLLECTION}/{self.resource_id}"


@dataclass(frozen=True, order=True)
class DatasetName(_InNamespace):
    """`namespaces/{namespace}/datasets/{dataset}`."""

    COLLECTION: ClassVar[str] = "datasets"


@dataclass(frozen=True, order=True)
class SearchName(_InNamespace):
    """`namespaces/{namespace}/searches/{search}`."""

    COLLECTION: ClassVar[str] = "searches"


@dataclass(frozen=True, order=True)
class ModelName(_InNamespace):
    """`namespaces/{namespace}/models/{model}`."""

    COLLECTION: ClassVar[str] = "models"


@dataclass(frozen=True, order=True)
class DeploymentName(_InNamespace):
    """`namespaces/{namespace}/deployments/{deployment}`."""

    COLLECTION: ClassVar[str] = "deployments"

    @property
    def inference_name(self) -> str:
        """The model's name in the Open Inference Protocol, which has no namespaces."""
        if self.namespace_id == DEFAULT_NAMESPACE:
            return self.resource_id
        return f"{self.namespace_id}.{self.resource_id}"


@dataclass(frozen=True, order=True)
class TrialName:
    """`namespaces/{namespace}/searches/{search}/trials/{number}`."""

    search: SearchName
    number: int

    @classmethod
    def parse(cls, value: str, field: str = "name") -> TrialName:
        """Raises: InvalidField naming `field`."""
        pattern = "namespaces/*/searches/*/trials/*"
        namespace, search, number = _parse(value, pattern, field)
        if not number.isdecimal() or len(number) > 9:
            raise InvalidField(
                field, f"{value!r} has no trial number", "end the name with a number"
            )
        search_name = SearchName(check_id(namespace, field), check_id(search, field))
        return cls(search_name, int(number))

    def __str__(self) -> str:
        return f"{self.search}/trials/{self.number}"
