"""What a store in a file must hold to: durability, versions, refusals."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.adapters.sql_store import SqlStore
from controller.adapters.sql_store_schema import BODY_VERSION, SCHEMA_VERSION
from controller.domain.codec import from_json, to_json
from controller.domain.errors import DataLoss, FailedPrecondition, InvalidField, Unavailable
from controller.domain.records import Dataset, Deployment, Model, Record, Search, Trial

SAMPLES = Path(__file__).parent / "samples"

KINDS: dict[str, type[Record]] = {
    kind.__name__: kind for kind in (Dataset, Search, Trial, Model, Deployment)
}

WRITER = """
import sys
from controller.adapters.sql_store import SqlStore
from controller.domain.records import Dataset

store = SqlStore(sys.argv[1])
for number in range(1000):
    name = f"namespaces/default/datasets/d{number}"
    with store.transaction() as tx:
        tx.put(Dataset(name, "t", "CSV", number, (), (), "u", 1, 1.0))
        tx.put_setting("last", str(number))
    print(number, flush=True)
    if number == 20:
        with store.transaction() as tx:
            tx.put(Dataset(name + "x", "t", "CSV", number, (), (), "u", 1, 1.0))
            tx.put_setting("last", "uncommitted")
            print("inside", flush=True)
            sys.stdin.read()
"""


def test_kill_9_loses_no_committed_and_keeps_no_open_transaction(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        confirmed = [int(line) for line in iter(child.stdout.readline, "inside\n")]
        os.kill(child.pid, signal.SIGKILL)
    assert confirmed == list(range(21))
    store = SqlStore(url)
    with store.transaction() as tx:
        assert [record.rows for record in tx.list_all(Dataset)] == confirmed
        assert tx.get_setting("last") == "20"
        assert tx.list_all(Dataset)[-1].revision == len(confirmed)
    store.close()


def test_every_commit_is_synced_to_disk(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'store.db'}")
    with store.transaction() as tx:
        connection = tx._connection  # type: ignore[attr-defined]
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    store.close()


def test_reopening_finds_everything_and_counts_on(
    tmp_path: Path, make_dataset: Callable[..., Dataset]
) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    first = SqlStore(url)
    with first.transaction() as tx:
        stored = tx.put(make_dataset("a"))
    first.close()
    second = SqlStore(url)
    with second.transaction() as tx:
        assert tx.list_all(Dataset) == [stored]
        assert tx.put(make_dataset("b")).revision == stored.revision + 1
    second.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    SqlStore(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        newer = SCHEMA_VERSION + 1
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (newer,))
    connection.close()
    with pytest.raises(FailedPrecondition, match="run the newer version"):
        SqlStore(f"sqlite:///{path}")


def test_a_newer_body_is_refused(tmp_path: Path, make_dataset: Callable[..., Dataset]) -> None:
    path = tmp_path / "store.db"
    store = SqlStore(f"sqlite:///{path}")
    with store.transaction() as tx:
        tx.put(make_dataset("a"))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE resources SET body_version = ?", (BODY_VERSION + 1,))
    connection.close()
    with pytest.raises(DataLoss, match="run the newer version"), store.transaction() as tx:
        tx.list_all(Dataset)
    store.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"this is no database, it only says so" * 100)
    with pytest.raises(DataLoss, match="restore"):
        SqlStore(f"sqlite:///{path}")


def test_a_missing_directory_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="check the disk"):
        SqlStore(f"sqlite:///{tmp_path / 'none' / 'store.db'}")


def test_other_databases_are_refused() -> None:
    with pytest.raises(InvalidField, match="sqlite"):
        SqlStore("postgresql://localhost/headgate")


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("bodies_v*.json")), ids=lambda p: p.stem)
def test_bodies_of_every_released_version_are_read(sample: Path) -> None:
    bodies = json.loads(sample.read_text())
    assert set(bodies) == set(KINDS)
    for kind, body in bodies.items():
        record = from_json(KINDS[kind], body)
        assert record.name == body["name"]
        assert _holds(to_json(record), body)


def _holds(now: Any, then: Any) -> bool:
    """Everything that was stored is still there; fields that came later have their defaults."""
    if isinstance(then, dict):
        return all(key in now and _holds(now[key], value) for key, value in then.items())
    if isinstance(then, list):
        return len(now) == len(then) and all(map(_holds, now, then))
    return bool(now == then)


def test_there_is_a_sample_of_this_version() -> None:
    assert (SAMPLES / f"bodies_v{BODY_VERSION}.json").exists()
