"""One transaction of the SQL store: statements in, records out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from controller.adapters.sql_store_schema import (
    BODY_VERSION,
    logs,
    meta,
    requests,
    resources,
    settings,
    trials,
)
from controller.domain.codec import from_json, to_json
from controller.domain.errors import DataLoss
from controller.domain.names import (
    DatasetName,
    DeploymentName,
    ModelName,
    SearchName,
    TrialName,
    check_id,
)
from controller.domain.records import Dataset, Deployment, Model, Record, Search, Trial
from controller.domain.states import TrialState
from controller.ports.store import Page, StoredRequest

R = TypeVar("R", bound=Record)

_KINDS: dict[type[Any], str] = {
    Dataset: "dataset",
    Search: "search",
    Model: "model",
    Deployment: "deployment",
}


class SqlTransaction:
    """`controller.ports.store.Transaction` on an open connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._changed: dict[str, None] = {}

    def changed_names(self) -> tuple[str, ...]:
        """Names of changed records in the order of their first change; searches for trials."""
        return tuple(self._changed)

    # Records

    def get(self, kind: type[R], name: str) -> R | None:
        """The record, or None."""
        table = trials if kind is Trial else resources
        where = _is_trial(name) if kind is Trial else _is_resource(kind, name)
        row = self._connection.execute(_bodies(table).where(where)).one_or_none()
        return None if row is None else _read(kind, row)

    def put(self, record: R) -> R:
        """Writes a new record or a new state of one; returns it with its revision."""
        stored = replace(record, revision=self._next_revision())
        if isinstance(stored, Trial):
            self._put_trial(stored)
            self._changed[stored.search] = None
        else:
            self._put_resource(stored)
            self._changed[stored.name] = None
        return stored

    def delete(self, kind: type[Record], name: str) -> bool:
        """Deletes a record; False when there was none."""
        if kind is Trial:
            return self._delete(trials, _is_trial(name), str(TrialName.parse(name).search)) > 0
        return self._delete(resources, _is_resource(kind, name), name) > 0

    def list_page(self, kind: type[R], namespace: str, page: Page) -> tuple[list[R], str]:
        """Newest first. `namespace` is the id, without `namespaces/`."""
        check_id(namespace, "namespace")
        query = (
            _bodies(resources, resources.c.ordinal)
            .where(resources.c.kind == _KINDS[kind], resources.c.namespace == namespace)
            .order_by(resources.c.ordinal.desc())
            .limit(page.size + 1)
        )
        if page.after:
            query = query.where(resources.c.ordinal < int(page.after))
        return self._paged(kind, query, page.size)

    def list_all(self, kind: type[R]) -> list[R]:
        """Every record of the kind, oldest first."""
        query = _bodies(resources).where(resources.c.kind == _KINDS[kind])
        return self._read_all(kind, query.order_by(resources.c.ordinal))

    # Trials

    def list_trials(
        self, search: str, page: Page, states: Sequence[TrialState] = ()
    ) -> tuple[list[Trial], str]:
        """By number."""
        query = _bodies(trials, trials.c.number).where(trials.c.search == search)
        if states:
            query = query.where(trials.c.state.in_([state.value for state in states]))
        if page.after:
            query = query.where(trials.c.number > int(page.after))
        return self._paged(Trial, query.order_by(trials.c.number).limit(page.size + 1), page.size)

    def trials_since(self, search: str, revision: int, limit: int) -> list[Trial]:
        """Trials changed after `revision`, by revision."""
        query = _bodies(trials).where(trials.c.search == search, trials.c.revision > revision)
        return self._read_all(Trial, query.order_by(trials.c.revision).limit(limit))

    def trial_by_candidate(self, search: str, candidate_id: str) -> Trial | None:
        """The trial that a candidate became, or None."""
        query = _bodies(trials).where(
            trials.c.search == search, trials.c.candidate_id == candidate_id
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _read(Trial, row)

    def count_trials(self, search: str) -> dict[str, int]:
        """Number of trials by state."""
        return self._counts(trials.c.state, trials.c.search == search)

    def count_rejections(self, search: str) -> dict[str, int]:
        """Number of rejected trials by reason."""
        where = (trials.c.search == search) & (trials.c.state == TrialState.REJECTED.value)
        return self._counts(trials.c.reason, where)

    def delete_trials(self, search: str) -> int:
        """Deletes all trials of a search; returns how many."""
        return self._delete(trials, trials.c.search == search, search)

    # Requests

    def get_request(self, request_id: str, method: str) -> StoredRequest | None:
        """What is remembered of an earlier call, or None."""
        query = select(requests.c.fingerprint, requests.c.resource_name).where(
            requests.c.request_id == request_id, requests.c.method == method
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else StoredRequest(row.fingerprint, row.resource_name)

    def put_request(self, request_id: str, method: str, request: StoredRequest, now: float) -> None:
        """Remembers a call; replaces what was remembered under the same id and method."""
        self._upsert(
            requests,
            {"request_id": request_id, "method": method},
            {
                "fingerprint": request.fingerprint,
                "resource_name": request.resource_name,
                "created_at": now,
            },
        )

    def delete_requests_before(self, instant: float) -> int:
        """Forgets calls older than `instant`; returns how many."""
        return self._connection.execute(
            delete(requests).where(requests.c.created_at < instant)
        ).rowcount

    # Logs and settings

    def put_log(self, search: str, text: str) -> None:
        """Keeps a search's log; replaces the one before."""
        self._upsert(logs, {"search": search}, {"text": text})

    def get_log(self, search: str) -> str | None:
        """A search's log, or None."""
        return self._connection.scalar(select(logs.c.text).where(logs.c.search == search))

    def delete_log(self, search: str) -> None:
        """Deletes a search's log, if there is one."""
        self._connection.execute(delete(logs).where(logs.c.search == search))

    def get_setting(self, key: str) -> str | None:
        """A setting's value, or None."""
        return self._connection.scalar(select(settings.c.value).where(settings.c.key == key))

    def put_setting(self, key: str, value: str) -> None:
        """Writes a setting; replaces the value before."""
        self._upsert(settings, {"key": key}, {"value": value})

    def delete_setting(self, key: str) -> None:
        """Deletes a setting, if there is one."""
        self._connection.execute(delete(settings).where(settings.c.key == key))

    # Inside

    def _next_revision(self) -> int:
        """Counts one change. The number is given back when the transaction rolls back."""
        is_revision = meta.c.key == "revision"
        self._connection.execute(update(meta).where(is_revision).values(value=meta.c.value + 1))
        query = select(meta.c.value).where(is_revision)
        return int(self._connection.execute(query).scalar_one())

    def _put_resource(self, record: Dataset | Search | Model | Deployment) -> None:
        key = {"kind": _KINDS[type(record)], "name": record.name}
        body = _written(record)
        if self._update(resources, key, body) == 0:
            extra = {"namespace": _namespace(record), "ordinal": record.revision}
            self._connection.execute(insert(resources).values(**key, **body, **extra))

    def _put_trial(self, trial: Trial) -> None:
        reason = trial.verdict.reason
        values = {
            "candidate_id": trial.candidate_id,
            "state": trial.state.value,
            "reason": reason.value if reason is not None else "",
            **_written(trial),
        }
        self._upsert(trials, {"search": trial.search, "number": trial.number}, values)

    def _upsert(self, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
        if self._update(table, key, values) == 0:
            self._connection.execute(insert(table).values(**key, **values))

    def _update(self, table: Table, key: dict[str, Any], values: dict[str, Any]) -> int:
        where = [table.c[column] == value for column, value in key.items()]
        return self._connection.execute(update(table).where(*where).values(**values)).rowcount

    def _delete(self, table: Table, where: ColumnElement[bool], changed: str) -> int:
        count = self._connection.execute(delete(table).where(where)).rowcount
        if count:
            self._next_revision()
            self._changed[changed] = None
        return count

    def _paged(self, kind: type[R], query: Select[Any], size: int) -> tuple[list[R], str]:
        rows = self._connection.execute(query).all()
        records = [_read(kind, row) for row in rows[:size]]
        return records, str(rows[size - 1][-1]) if len(rows) > size else ""

    def _read_all(self, kind: type[R], query: Select[Any]) -> list[R]:
        return [_read(kind, row) for row in self._connection.execute(query)]

    def _counts(self, column: ColumnElement[str], where: ColumnElement[bool]) -> dict[str, int]:
        query = select(column, func.count()).where(where).group_by(column)
        return {str(key): int(count) for key, count in self._connection.execute(query)}


def _is_resource(kind: type[Any], name: str) -> ColumnElement[bool]:
    return and_(resources.c.kind == _KINDS[kind], resources.c.name == name)


def _is_trial(name: str) -> ColumnElement[bool]:
    parsed = TrialName.parse(name)
    return and_(trials.c.search == str(parsed.search), trials.c.number == parsed.number)


def _bodies(table: Table, *columns: ColumnElement[Any]) -> Select[Any]:
    return select(table.c.body_version, table.c.body, *columns)


def _namespace(record: Dataset | Search | Model | Deployment) -> str:
    """The id of the namespace that the record's name is in."""
    if isinstance(record, Dataset):
        return DatasetName.parse(record.name).namespace_id
    if isinstance(record, Search):
        return SearchName.parse(record.name).namespace_id
    if isinstance(record, Model):
        return ModelName.parse(record.name).namespace_id
    return DeploymentName.parse(record.name).namespace_id


def _written(record: Record) -> dict[str, Any]:
    body = json.dumps(to_json(record), allow_nan=False, separators=(",", ":"))
    return {"revision": record.revision, "body_version": BODY_VERSION, "body": body}


def _read(kind: type[R], row: Row[Any]) -> R:
    """Raises: DataLoss when the body was written by a newer Headgate or does not fit."""
    if row.body_version > BODY_VERSION:
        raise DataLoss(
            f"a stored {kind.__name__} has body version {row.body_version} and this Headgate knows "
            f"{BODY_VERSION}; run the newer version on this data directory"
        )
    return from_json(kind, json.loads(row.body))
