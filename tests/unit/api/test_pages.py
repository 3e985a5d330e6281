"""Answers stay within what clients take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from controller.api.convert_dataset import MAX_BYTES, dataset_to_proto
from controller.api.pages import fitting_page
from controller.domain.records import Dataset, ValueCount
from headgate.v1 import dataset_pb2


def big(text: str) -> dataset_pb2.Dataset:
    return dataset_pb2.Dataset(source=text)


class Lister:
    """Lists texts; the token is the number of the next one."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.sizes: list[int] = []

    async def read(self, size: int) -> tuple[Sequence[str], str]:
        self.sizes.append(size)
        return self.texts[:size], str(size) if size < len(self.texts) else ""


async def test_a_page_that_fits_is_read_once() -> None:
    lister = Lister(["a"] * 5)
    messages, token = await fitting_page(5, lister.read, big)
    assert (len(messages), token, lister.sizes) == (5, "", [5])


async def test_a_page_that_is_too_large_is_read_again_with_half() -> None:
    lister = Lister(["x" * 1_000_000] * 8)
    messages, token = await fitting_page(8, lister.read, big)
    assert (len(messages), token, lister.sizes) == (2, "2", [8, 4, 2])


async def test_one_entry_is_sent_however_large() -> None:
    lister = Lister(["x" * 5_000_000] * 2)
    messages, token = await fitting_page(2, lister.read, big)
    assert (len(messages), token) == (1, "1")


def test_a_wide_table_is_sent_with_fewer_top_values(dataset: Dataset) -> None:
    values = tuple(ValueCount(f"value-{number:04}", 1) for number in range(1_000))
    column = replace(dataset.columns[0], top_values=values)
    few = dataset_to_proto(replace(dataset, columns=(column,) * 10))
    assert len(few.profile.columns[9].top_values) == 1_000
    many = dataset_to_proto(replace(dataset, columns=(column,) * 500))
    assert len(many.profile.columns[499].top_values) == 100
    assert many.ByteSize() <= MAX_BYTES
