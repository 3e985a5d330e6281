"""Every layer imports what the README's table allows it, and nothing else."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

import pytest

from tests.unit.house.test_architecture import ROOT, imports_of, is_below, modules_below

ALLOWED: Mapping[str, tuple[str, ...]] = {
    "domain": (),
    "ports": ("controller.domain",),
    "service": (
        "controller.domain",
        "controller.ports",
        "controller.reader.request",
        "workers.families.base",
        "workers.data.layout",
    ),
    "adapters": (
        "controller.domain",
        "controller.ports",
        "aiohttp",
        "prometheus_client",
        "pyarrow",
        "sqlalchemy",
    ),
    "api": (
        "controller.domain",
        "controller.service",
        "headgate.v1",
        "aiohttp",
        "google",
        "grpc",
        "grpc_health",
        "grpc_reflection",
        "grpc_status",
        "prometheus_client",
    ),
    "reader": ("controller.domain", "numpy", "pyarrow"),
}
"""By directory of `controller`, beside itself and the standard library; controller/README.md says
it for people.
"""

WORKERS: Mapping[str, tuple[str, ...]] = {
    "node": (),
    "families": ("workers.data.layout", "numpy", "joblib", "sklearn", "threadpoolctl", "xgboost"),
    "data": ("workers.families", "workers.trial.job", "numpy", "pyarrow"),
    "bundle": ("workers.data", "workers.families", "numpy", "pyarrow"),
    "trial": ("workers.bundle", "workers.data", "workers.families", "numpy"),
    "sandbox": ("workers.node", "workers.trial.job", "numpy", "ray", "threadpoolctl"),
    "serving": ("workers.bundle", "workers.data", "grpc", "ray", "starlette"),
    "driver": (
        "workers.data.layout",
        "workers.families",
        "workers.sandbox.agent",
        "workers.trial.job",
        "headgate.v1",
        "google",
        "grpc",
        "grpc_status",
        "optuna",
        "ray",
    ),
}

CLIENT = ("click", "google", "grpc", "grpc_status", "rich", "yaml")
"""What the distribution `headgate` depends on. pandas and pyarrow are looked for where they are
needed.
"""


def foreign(directory: str, own: str, allowed: tuple[str, ...]) -> list[str]:
    """Imports that are neither allowed, nor of `own`, nor of the standard library."""
    found = []
    for path in modules_below(directory):
        for name in imports_of(path):
            is_builtin = name.split(".")[0] in sys.stdlib_module_names
            # `from a import b` is seen as `a` and `a.b`: what is above an allowed name is allowed.
            is_on_the_way = any(is_below(each, name) for each in (own, *allowed))
            is_allowed = any(is_below(name, each) for each in (own, *allowed))
            if not (is_builtin or is_on_the_way or is_allowed):
                found.append(f"{path.relative_to(ROOT)} imports {name}")
    return sorted(set(found))


@pytest.mark.parametrize("layer", list(ALLOWED))
def test_a_layer_of_the_controller(layer: str) -> None:
    own = f"controller.{layer}"
    assert len(modules_below(f"controller/{layer}")) > 3
    assert foreign(f"controller/{layer}", own, ALLOWED[layer]) == []


@pytest.mark.parametrize("layer", list(WORKERS))
def test_a_directory_of_the_workers(layer: str) -> None:
    assert len(modules_below(f"workers/{layer}")) > 3
    assert foreign(f"workers/{layer}", f"workers.{layer}", WORKERS[layer]) == []


def test_the_client() -> None:
    found = foreign("headgate", "headgate", CLIENT)
    optional = {line for line in found if line.endswith((" pandas", " pandas.pd"))}
    assert sorted(set(found) - optional) == []


@pytest.mark.parametrize("layer", [*ALLOWED, *WORKERS])
def test_what_is_allowed_is_used(layer: str) -> None:
    package, allowed = ("controller", ALLOWED) if layer in ALLOWED else ("workers", WORKERS)
    imported = {name for p in modules_below(f"{package}/{layer}") for name in imports_of(p)}
    unused = [a for a in allowed[layer] if not any(is_below(name, a) for name in imported)]
    assert unused == []


def test_every_directory_has_its_row() -> None:
    for package, table in (("controller", ALLOWED), ("workers", WORKERS)):
        directories = {p.name for p in (ROOT / package).iterdir() if (p / "__init__.py").exists()}
        assert directories == set(table)
        readme = (ROOT / package / "README.md").read_text()
        assert set(re.findall(r"^\| `(\w+)/` \|", readme, re.MULTILINE)) == directories


def test_the_rule_sees_what_it_forbids() -> None:
    assert foreign("controller/service", "controller.service", ("controller.domain",))
    assert foreign("controller/ports", "controller.ports", ())
