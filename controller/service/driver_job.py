"""The Ray job that runs a search's driver: its id, its command line, its log."""

from __future__ import annotations

from collections.abc import Mapping

from controller.domain.names import SearchName
from controller.domain.records import Search
from controller.service.settings import ServiceSettings


def submission_id(search: Search, attempt: int) -> str:
    """Unique by search and attempt; the token's hash tells apart searches that had one name."""
    name = SearchName.parse(search.name)
    unique = search.token_sha256[:8]
    return f"headgate-{name.namespace_id}-{name.resource_id}-{unique}-{attempt}"


def entrypoint(settings: ServiceSettings) -> str:
    """The command line."""
    return f"{settings.python} -m workers.driver"


def environment(search: Search, token: str, settings: ServiceSettings) -> Mapping[str, str]:
    """What the driver must know to open its session."""
    wanted = {
        **dict(settings.driver_environment),
        "HEADGATE_CONTROLLER": settings.advertise,
        "HEADGATE_SEARCH": search.name,
        "HEADGATE_SEARCH_TOKEN": token,
        "HEADGATE_WORK_DIR": settings.work_dir,
    }
    return {name: value for name, value in wanted.items() if value}


def with_attempt(stored: str, attempt: int, text: str, most_bytes: int) -> str:
    """The stored log with this attempt's part replaced, the last `most_bytes` of it."""
    mark = f"--- driver {attempt} ---\n"
    before = stored.partition(mark)[0]
    joined = (
        f"{before}{mark}{text}" if text.endswith("\n") or not text else f"{before}{mark}{text}\n"
    )
    raw = joined.encode()
    return joined if len(raw) <= most_bytes else raw[-most_bytes:].decode(errors="ignore")


def last_line(text: str) -> str:
    """The last line that says something, at most 300 characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
