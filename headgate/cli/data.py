"""`headgate datasets|models|export|delete-dataset`: tables and models."""

from __future__ import annotations

import click

from headgate.cli.context import OneLineError, Session, with_session
from headgate.cli.output import print_list, print_table, short
from headgate.client import Client
from headgate.errors import ServerError
from headgate.units import format_bytes
from headgate.v1 import search_pb2


def model_of(client: Client, name: str) -> str:
    """The model's resource name for a model or a search, by id or resource name."""
    if "/searches/" not in name:
        try:
            return client.model(name).name
        except ServerError as error:
            if error.code != "NOT_FOUND":
                raise
    found = client.search(name).get()
    if not found.model:
        state = search_pb2.Search.State.Name(found.state)
        raise OneLineError(f"{found.name} is {state} and has no model")
    return found.model


@click.command()
@with_session
def datasets(session: Session) -> None:
    """List datasets, newest first."""
    with session.client() as client:
        found = list(client.datasets())
    if session.is_json:
        print_list("datasets", found)
        return
    print_table(
        ("dataset", "source", "rows", "columns", "stored"),
        (
            (
                short(d.name),
                d.source,
                str(d.profile.rows),
                str(len(d.profile.columns)),
                format_bytes(d.stored_bytes),
            )
            for d in found
        ),
    )


@click.command("delete-dataset")
@click.argument("name", metavar="DATASET")
@with_session
def delete_dataset(session: Session, name: str) -> None:
    """Delete a dataset and free its disk."""
    with session.client() as client:
        client.delete_dataset(name)
    if not session.is_json:
        click.echo(f"{name} was deleted")


@click.command()
@with_session
def models(session: Session) -> None:
    """List models, newest first."""
    with session.client() as client:
        found = list(client.models())
    if session.is_json:
        print_list("models", found)
        return
    print_table(
        ("model", "family", "target", "metric", "score", "size"),
        (
            (
                short(m.name),
                m.family,
                m.target_column,
                m.metric,
                f"{m.score:.5g}",
                format_bytes(m.bundle_bytes),
            )
            for m in found
        ),
    )


@click.command()
@click.argument("name", metavar="SEARCH|MODEL")
@click.option("--to", "directory", required=True, type=click.Path(), help="A new directory.")
@with_session
def export(session: Session, name: str, directory: str) -> None:
    """Write a model's bundle to a directory."""
    with session.client() as client:
        written = client.export_model(model_of(client, name), directory)
    if not session.is_json:
        click.echo(f"wrote {written}")


COMMANDS = (datasets, delete_dataset, models, export)
