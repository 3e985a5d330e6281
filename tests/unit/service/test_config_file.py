"""The controller's configuration file."""

from __future__ import annotations

import pytest

from controller.config_file import read_config
from controller.domain.records import Quota


def test_quotas_by_namespace() -> None:
    text = "quotas:\n  default: {memory: 8GiB, cpus: 4}\n  team-a:\n    gpus: 0.5\n"
    assert read_config(text) == {
        "default": Quota(8 << 30, 4.0, None),
        "team-a": Quota(None, None, 0.5),
    }


def test_an_empty_file_limits_nothing() -> None:
    assert read_config("") == {}
    assert read_config("quotas:\n") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quotas: [", "it is no YAML"),
        ("- a", "the file must be a mapping"),
        ("quota: {}", "section 'quota' is unknown"),
        ("quotas: {Default: {}}", "quotas: 'Default' is no id"),
        ("quotas: {a: 3}", "quotas.a must be a mapping"),
        ("quotas: {a: {ram: 1}}", "quotas.a.ram is unknown; give memory, cpus, gpus"),
        ("quotas: {a: {memory: lots}}", "quotas.a.memory: 'lots' is no size; write it like 8GiB"),
        ("quotas: {a: {cpus: many}}", "quotas.a.cpus: 'many' is no number"),
        ("quotas: {a: {gpus: -1}}", "quotas.a.gpus: -1 is no number from 0"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace("[", r"\[").replace(".", r"\.")):
        read_config(text)
