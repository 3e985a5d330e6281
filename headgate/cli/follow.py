"""`headgate watch` and `headgate wait`: live progress until a search has ended."""

from __future__ import annotations

import sys

import click

from headgate.cli.context import EXIT_FAILED, Session, with_session
from headgate.cli.options import search_argument
from headgate.cli.output import console, print_resource
from headgate.cli.watch_view import LiveView, PlainView, View
from headgate.search import Search
from headgate.v1 import search_pb2

State = search_pb2.Search.State


def follow(search: Search) -> search_pb2.Search:
    """Shows a search until it has ended; returns it in its final state."""
    view: View = LiveView() if console().is_terminal else PlainView()
    with view:
        for message in search.watch():
            view.show(message)
    return search.get()


def report_end(session: Session, final: search_pb2.Search) -> None:
    """Prints how it ended; exits with 1 unless it succeeded."""
    if session.is_json:
        print_resource(final)
    elif final.state == State.SUCCEEDED:
        served = f", deployment {final.deployment}" if final.deployment else ""
        click.echo(f"succeeded: {final.metric} {final.best_score:.5g}, model {final.model}{served}")
    else:
        why = f": {final.error.message}" if final.error.message else ""
        click.echo(f"{State.Name(final.state).lower()}{why}", err=True)
    if final.state != State.SUCCEEDED:
        sys.exit(EXIT_FAILED)


@click.command()
@search_argument
@with_session
def watch(session: Session, name: str) -> None:
    """Follow a search live: progress, budget, leaderboard, rejections and their reasons."""
    with session.client() as client:
        found = client.search(name)
        report_end(session, found.wait() if session.is_json else follow(found))


@click.command()
@search_argument
@with_session
def wait(session: Session, name: str) -> None:
    """Block until a search has ended. Exits with 0 when it has a model, else with 1."""
    with session.client() as client:
        report_end(session, client.search(name).wait())


COMMANDS = (watch, wait)
