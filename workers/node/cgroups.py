"""Where this process stands in the control groups of its machine, version 1 and 2.

A limit may be set at the mount's root (a container that sees its own group there) or further down,
visible only through /proc/self/cgroup (a nested group); both are levels of the same hierarchy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")
UNIFIED = ""
"""The name of the version 2 hierarchy beside the controllers' names of version 1."""


@dataclass(frozen=True)
class Hierarchy:
    """One hierarchy. mount: its root as we see it. own: our group's directory."""

    version: int
    mount: Path
    own: Path

    def levels(self) -> Iterator[Path]:
        """Our group and all above it, up to the mount's root. They need not exist."""
        here = self.own
        yield here
        while here != self.mount and self.mount in here.parents:
            here = here.parent
            yield here


def hierarchy(controller: str, root: Path = CGROUP_ROOT, proc: Path = PROC) -> Hierarchy | None:
    """Where `controller` (`memory`, `cpu`; `UNIFIED` for version 2) puts us; None: nowhere.

    root: where hierarchies are mounted when /proc/self/mountinfo does not say.
    """
    path = _own_paths(proc).get(controller)
    if path is None:
        return None
    mount, below = _mount(controller, root, proc)
    version = 2 if controller == UNIFIED else 1
    return Hierarchy(version, mount, _join(mount, path, below))


def read_int(path: Path) -> int | None:
    """A file's number; None when there is no such file or it says `max`."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def read_value(path: Path, key: str) -> int:
    """A key of a `KEY NUMBER` file, 0 when it is absent."""
    return read_values(path).get(key, 0)


def read_values(path: Path) -> dict[str, int]:
    """All of a `KEY NUMBER [UNIT]` file; empty when there is none."""
    try:
        words = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
    except OSError:
        return {}
    return {each[0]: int(each[1]) for each in words if len(each) > 1 and each[1].isdecimal()}


def _own_paths(proc: Path) -> dict[str, str]:
    """Controller name -> our path in it, from /proc/self/cgroup."""
    paths = {}
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def _mount(controller: str, root: Path, proc: Path) -> tuple[Path, str]:
    """The hierarchy's mount point, and the group that is mounted there."""
    try:
        lines = (proc / "self" / "mountinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        # 35 31 0:32 ROOT MOUNTPOINT options... - cgroup SOURCE rw,memory   (proc_pid_mountinfo(5))
        head, _, tail = line.partition(" - ")
        kind, *_, options = tail.split(" ")
        is_ours = kind == "cgroup2" if controller == UNIFIED else kind == "cgroup"
        if is_ours and (controller == UNIFIED or controller in options.split(",")):
            fields = head.split(" ")
            return Path(fields[4].replace("\\040", " ")), fields[3].replace("\\040", " ")
    return (root, "/") if controller == UNIFIED else (root / controller, "/")


def _join(mount: Path, path: str, below: str) -> Path:
    """Our directory. A container may see its group as the mount's root, under a path of the host's;
    a group outside our namespace shows as `/..`.
    """
    prefix = below.rstrip("/")
    if ".." in Path(path).parts:
        return mount
    if prefix and (path == prefix or path.startswith(prefix + "/")):
        path = path[len(prefix) :]
    return mount / path.lstrip("/")
