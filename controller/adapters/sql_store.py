"""The store on SQL: one SQLite file for a controller, or a database in memory for tests.

One transaction runs at a time, whatever it does; a commit is synced to disk before it returns.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, OperationalError

from controller.adapters import sql_store_schema as schema
from controller.adapters.sql_store_transaction import SqlTransaction
from controller.domain.errors import DataLoss, Unavailable
from controller.ports.store import Transaction

_log = logging.getLogger(__name__)


class SqlStore:
    """`controller.ports.store.Store` at `url`: `sqlite:///PATH`, or `sqlite://` in memory.

    Raises: Unavailable when the file cannot be opened or written (disk full, no rights),
    DataLoss when it is not a database, FailedPrecondition when a newer Headgate wrote it.
    """

    def __init__(self, url: str) -> None:
        self._turn = threading.Lock()
        self._owner: int | None = None
        self._listeners: tuple[Callable[[str], None], ...] = ()
        self._engine = schema.open_engine(url)
        try:
            with self._translated():
                schema.prepare(self._engine)
        except BaseException:
            self._engine.dispose()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """See `controller.ports.store.Store`. A transaction inside another of the same thread is
        a programming error and raises RuntimeError.
        """
        if self._owner == threading.get_ident():
            raise RuntimeError("this thread has a transaction open already")
        with self._turn:
            self._owner = threading.get_ident()
            try:
                with self._translated(), self._engine.begin() as connection:
                    transaction = SqlTransaction(connection)
                    yield transaction
            finally:
                self._owner = None
        self._tell(transaction.changed_names())

    def on_change(self, listener: Callable[[str], None]) -> None:
        """See `controller.ports.store.Store`."""
        self._listeners = (*self._listeners, listener)

    def close(self) -> None:
        """Waits for the running transaction, then closes the database. Idempotent."""
        with self._turn:
            self._engine.dispose()

    def _tell(self, names: tuple[str, ...]) -> None:
        for name in names:
            for listener in self._listeners:
                try:
                    listener(name)
                except Exception:  # noqa: BLE001 - logged; the change is stored whatever they do
                    _log.exception("a listener failed on the change of %s, which is stored", name)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns the database's own errors into the domain's."""
        try:
            yield
        except OperationalError as error:
            raise Unavailable(
                f"the store cannot be used: {error.orig}; check the disk of the data directory"
            ) from error
        except DatabaseError as error:
            raise DataLoss(
                f"the store is damaged: {error.orig}; restore the data directory from a backup"
            ) from error
