"""The import rules: every module is parsed, every import statement counts, wherever it stands."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("headgate", "controller", "workers")


def modules_below(package: str) -> list[Path]:
    return [p for p in sorted((ROOT / package).rglob("*.py")) if "_pb2" not in p.name]


def imports_of(path: Path) -> Iterator[str]:
    """Absolute names of all imported modules; `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def top_level_imports(path: Path) -> Iterator[str]:
    """Imports that run when the module is imported; those for type checkers left out."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def violations(package: str, *forbidden: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules_below(package)
        for name in imports_of(path)
        if any(is_below(name, bad) for bad in forbidden)
    ]


def test_every_package_has_modules() -> None:
    # Guards the rules below: a wrong path would make all of them pass on nothing.
    assert all(len(modules_below(package)) > 10 for package in PACKAGES)


def test_client_imports_no_server_side() -> None:
    assert violations("headgate", "controller", "workers", "ray") == []


def test_controller_never_imports_ray() -> None:
    assert violations("controller", "ray") == []


def test_controller_imports_only_light_declarations_of_workers() -> None:
    allowed = (
        "workers.families.base",
        "workers.families.registry",
        "workers.data.layout",
        "workers.node",
    )
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules_below("controller")
        for name in imports_of(path)
        if is_below(name, "workers")
        and name not in ("workers", "workers.families", "workers.data")
        and not any(is_below(name, light) for light in allowed)
    ]
    assert found == []


def test_what_a_node_has_is_found_out_with_the_standard_library_alone() -> None:
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules_below("workers/node")
        for name in imports_of(path)
        if name.split(".")[0] not in sys.stdlib_module_names and not is_below(name, "workers.node")
    ]
    assert len(modules_below("workers/node")) > 3
    assert found == []


def test_workers_do_not_import_the_controller() -> None:
    assert violations("workers", "controller") == []


def test_domain_imports_only_the_standard_library_and_itself() -> None:
    forbidden_stdlib = {"asyncio", "threading", "subprocess", "socket", "time", "os", "pathlib"}
    found = []
    for path in modules_below("controller/domain"):
        for name in imports_of(path):
            top = name.split(".")[0]
            is_own = is_below(name, "controller.domain") or name == "controller"
            if not is_own and (top not in sys.stdlib_module_names or top in forbidden_stdlib):
                found.append(f"{path.relative_to(ROOT)} imports {name}")
    assert found == []


def test_layers_of_the_controller_point_down() -> None:
    layers = ["domain", "ports", "service", "adapters", "api"]
    found = []
    for index, layer in enumerate(layers):
        above = [f"controller.{name}" for name in layers[index + 1 :]]
        if layer == "service":
            above = ["controller.adapters", "controller.api"]
        if layer == "adapters":
            above = ["controller.api"]
        found += violations(f"controller/{layer}", *above)
    assert found == []


@pytest.mark.parametrize("package", ["workers/families", "workers/data"])
def test_light_declarations_import_the_standard_library_at_the_top(package: str) -> None:
    light = {"base.py", "registry.py", "layout.py"}
    names = {p for p in modules_below(package) if p.parent.name == "families" or p.name in light}
    heavy = {"numpy", "scipy", "sklearn", "xgboost", "pyarrow", "joblib", "pandas", "ray"}
    found = [
        f"{path.relative_to(ROOT)} imports {name} at its top"
        for path in names
        for name in top_level_imports(path)
        if name.split(".")[0] in heavy
    ]
    assert names
    assert found == []


def test_every_module_begins_with_its_docstring() -> None:
    missing = []
    for package in PACKAGES:
        for path in modules_below(package):
            body = ast.parse(path.read_text(encoding="utf-8")).body
            first = body[0] if body else None
            is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            if not is_text:
                missing.append(str(path.relative_to(ROOT)))
    assert missing == []


def test_no_module_is_called_utils() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    assert [p for package in PACKAGES for p in modules_below(package) if p.stem in vague] == []
