"""How the command line prints: proto JSON for programs, tables and lines for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


def as_json(message: Message) -> dict[str, Any]:
    """Proto JSON with the original field names; absent sub-messages stay absent."""
    document: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return document


def print_resource(message: Message) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(as_json(message), indent=2, ensure_ascii=False))


def print_list(field: str, messages: Iterable[Message]) -> None:
    """A list response, all pages merged, as one JSON document on stdout."""
    document = {field: [as_json(message) for message in messages], "next_page_token": ""}
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def console() -> Console:
    """The terminal; off a terminal wide enough to keep every row on one line."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=240)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for people; numbers may be given as text."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*[cell.replace("[", r"\[") for cell in row])
    console().print(table)


def short(name: str) -> str:
    """The last segment of a resource name."""
    return name.rsplit("/", 1)[-1]
