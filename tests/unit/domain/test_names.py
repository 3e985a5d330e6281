"""Resource names print and parse to the same thing; what is no name is refused by field."""

from __future__ import annotations

import pytest

from controller.domain.errors import InvalidField
from controller.domain.names import (
    DatasetName,
    DeploymentName,
    ModelName,
    NamespaceName,
    SearchName,
    TrialName,
    check_id,
)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (NamespaceName, "namespaces/default"),
        (DatasetName, "namespaces/default/datasets/iris"),
        (SearchName, "namespaces/team-a/searches/s1"),
        (ModelName, "namespaces/team-a/models/s1"),
        (DeploymentName, "namespaces/team-a/deployments/live"),
        (TrialName, "namespaces/team-a/searches/s1/trials/17"),
    ],
)
def test_names_go_there_and_back(kind: type[NamespaceName], text: str) -> None:
    assert str(kind.parse(text)) == text


@pytest.mark.parametrize("value", ["a", "a" * 63, "a-b-9", "z0"])
def test_ids(value: str) -> None:
    assert check_id(value, "id") == value


@pytest.mark.parametrize("value", ["", "A", "9a", "-a", "a-", "a_b", "a" * 64, "a/b", "ä", "a\n"])
def test_what_is_no_id(value: str) -> None:
    with pytest.raises(InvalidField) as caught:
        check_id(value, "search_id")
    assert caught.value.violations[0].field == "search_id"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "searches/s1",
        "namespaces/x/searches",
        "namespaces/x/searches/",
        "namespaces//searches/s1",
        "namespaces/x/datasets/s1",
        "namespaces/x/searches/s1/trials",
        "namespaces/../searches/s1",
    ],
)
def test_what_is_no_search_name(text: str) -> None:
    with pytest.raises(InvalidField, match="name"):
        SearchName.parse(text)


@pytest.mark.parametrize("number", ["", "-1", "x", "1.0", "1234567890", "²"])
def test_what_is_no_trial_number(number: str) -> None:
    with pytest.raises(InvalidField):
        TrialName.parse(f"namespaces/x/searches/s1/trials/{number}")


def test_inference_names() -> None:
    assert DeploymentName("default", "live").inference_name == "live"
    assert DeploymentName("team-a", "live").inference_name == "team-a.live"


def test_parent() -> None:
    assert DatasetName("team-a", "iris").parent == NamespaceName("team-a")
