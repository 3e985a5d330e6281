"""Converts datasets between the domain and `headgate.v1`."""

from __future__ import annotations

from controller.api.convert import EnumNames, to_timestamp
from controller.domain.errors import InvalidField
from controller.domain.records import Column, Dataset
from controller.service.etag import etag
from headgate.v1 import dataset_pb2 as pb

FORMAT_PREFIX = "TABLE_FORMAT_"
KIND_PREFIX = "COLUMN_KIND_"

MAX_BYTES = 2 * 1024 * 1024
"""Largest dataset that is sent with all its top values; clients take 4 MiB in a message."""

TOP_VALUES = (1_000, 100, 10, 0)
"""Most top values of a column that are sent: the first number with which the dataset fits."""


def format_from_proto(number: int, field: str) -> str:
    """The format's name; empty when it is to be found out. Raises: InvalidField."""
    if number == pb.TABLE_FORMAT_UNSPECIFIED:
        return ""
    if number not in pb.TableFormat.values():
        allowed = ", ".join(pb.TableFormat.keys()[1:])
        raise InvalidField(field, f"{number} is not a value of the enum", f"use one of {allowed}")
    names: EnumNames = pb.TableFormat
    return names.Name(number).removeprefix(FORMAT_PREFIX)


def dataset_to_proto(dataset: Dataset) -> pb.Dataset:
    """The resource as users see it; a wide table with fewer top values, see `TOP_VALUES`."""
    for most in TOP_VALUES:
        sent = _dataset(dataset, most)
        if sent.ByteSize() <= MAX_BYTES:
            return sent
    return sent


def _dataset(dataset: Dataset, top_values: int) -> pb.Dataset:
    return pb.Dataset(
        name=dataset.name,
        source=dataset.source,
        format=FORMAT_PREFIX + dataset.format,
        profile=pb.DatasetProfile(
            rows=dataset.rows,
            columns=[_column(column, top_values) for column in dataset.columns],
            notes=dataset.notes,
        ),
        stored_bytes=dataset.stored_bytes,
        create_time=to_timestamp(dataset.created_at),
        etag=etag(dataset),
    )


def _column(column: Column, top_values: int) -> pb.ColumnProfile:
    return pb.ColumnProfile(
        name=column.name,
        kind=KIND_PREFIX + column.kind,
        missing_count=column.missing_count,
        distinct_count=column.distinct_count,
        is_distinct_count_capped=column.is_distinct_count_capped,
        top_values=[
            pb.ValueCount(value=v.value, count=v.count) for v in column.top_values[:top_values]
        ],
        min=column.min,
        max=column.max,
        mean=column.mean,
        standard_deviation=column.standard_deviation,
        is_integer=column.is_integer,
        mean_length=column.mean_length,
        is_dropped=column.is_dropped,
        note=column.note,
    )
