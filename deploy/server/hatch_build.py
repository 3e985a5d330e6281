"""Build hook: takes the packages of the server distribution from the repository's root."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PackagesFromRoot(BuildHookInterface):  # type: ignore[type-arg]
    """Adds `controller` and `workers` to a wheel; an editable one points at the root instead."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before a wheel of the given version (`standard`, `editable`)."""
        if version == "editable":
            return
        repository = Path(self.root).parent.parent
        for package in ("controller", "workers"):
            build_data["force_include"][str(repository / package)] = package
