"""The tables of the SQL store, and how a database is opened and brought up to date.

Records are JSON bodies beside the columns that are searched by. Two versions guard bytes that
outlive code: `SCHEMA_VERSION` for the tables, `BODY_VERSION` for the bodies, kept with each row.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.pool import StaticPool

from controller.domain.errors import FailedPrecondition, InvalidField

SCHEMA_VERSION = 1
"""Version of the tables. Raise it with a migration from the version before."""

BODY_VERSION = 1
"""Version of the JSON bodies. Additions with defaults need no new one; changed meanings do."""

BUSY_TIMEOUT_MS = 10_000
"""How long a statement waits for another process that holds the file, in milliseconds."""

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Integer, nullable=False),
)
"""`schema_version`, and `revision`: the number of the last change."""

resources = Table(
    "resources",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("namespace", String(63), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("body_version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Index("resources_by_age", "kind", "namespace", "ordinal"),
)
"""Everything but trials. ordinal: the revision of the first write, so it orders by age."""

trials = Table(
    "trials",
    metadata,
    Column("search", String(255), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("candidate_id", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("body_version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("search", "candidate_id"),
    Index("trials_by_revision", "search", "revision"),
    Index("trials_by_state", "search", "state", "number"),
)
"""reason: why the gate rejected, empty for all others."""

requests = Table(
    "requests",
    metadata,
    Column("request_id", String(64), primary_key=True),
    Column("method", String(128), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("resource_name", String(255), nullable=False),
    Column("created_at", Float, nullable=False, index=True),
)

logs = Table(
    "logs",
    metadata,
    Column("search", String(255), primary_key=True),
    Column("text", Text, nullable=False),
)

settings = Table(
    "settings",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("value", Text, nullable=False),
)


def open_engine(url: str) -> Engine:
    """An engine with one connection, whose transactions begin as writers.

    Raises: InvalidField when `url` is not one of SQLite's.
    """
    if make_url(url).get_backend_name() != "sqlite":
        raise InvalidField("store", f"{url!r} is no SQLite URL", "use sqlite:///PATH")
    engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    """A commit is on the disk when it returns: WAL, synced at each commit."""
    connection.isolation_level = None  # the driver must not begin transactions by itself
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """Takes the write lock at once: a reader that turns writer could be refused half-way."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def prepare(engine: Engine) -> None:
    """Creates the tables in an empty database, else checks their version. Idempotent.

    Raises: FailedPrecondition when a newer Headgate wrote the database.
    """
    with engine.begin() as connection:
        metadata.create_all(connection)
        found = connection.scalar(select(meta.c.value).where(meta.c.key == "schema_version"))
        if found is None:
            rows = [
                {"key": "schema_version", "value": SCHEMA_VERSION},
                {"key": "revision", "value": 0},
            ]
            connection.execute(insert(meta), rows)
        elif found > SCHEMA_VERSION:
            raise FailedPrecondition(
                f"the store has schema version {found} and this Headgate knows {SCHEMA_VERSION}; "
                "run the newer version on this data directory"
            )
