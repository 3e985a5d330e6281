"""`headgate watch` and `headgate wait`: live progress until a search has ended."""

from __future__ import annotations

import sys

import click

from headgate.cli.context import EXIT_FAILED, Session, with_session
from headgate.cli.options import search_argument
from headgate.cli.output import console, print_resource
from headgate.cli.serving import await_winner, describe
from headgate.cli.watch_view import LiveView, PlainView, View
from headgate.client import Client
from headgate.search import Search
from headgate.v1 import search_pb2
from headgate.v1.deployment_pb2 import Deployment

State = search_pb2.Search.State


def follow(search: Search) -> search_pb2.Search:
    """Shows a search until it has ended; returns it in its final state."""
    view: View = LiveView() if console().is_terminal else PlainView()
    with view:
        for message in search.watch():
            view.show(message)
    return search.get()


def report_end(session: Session, client: Client, final: search_pb2.Search) -> None:
    """Prints how it ended, and what became of the deployment that it asked for; exits with 1 unless
    both are well.
    """
    if session.is_json:
        print_resource(final)
    elif final.state == State.SUCCEEDED:
        click.echo(f"succeeded: {final.metric} {final.best_score:.5g}, model {final.model}")
    else:
        why = f": {final.error.message}" if final.error.message else ""
        click.echo(f"{State.Name(final.state).lower()}{why}", err=True)
    served = await_winner(client, final)
    is_served = served is None or served.state == Deployment.State.READY
    if served is not None and not (session.is_json and is_served):
        click.echo(f"deployment {describe(served)}", err=not is_served)
    if final.state != State.SUCCEEDED or not is_served:
        sys.exit(EXIT_FAILED)


@click.command()
@search_argument
@with_session
def watch(session: Session, name: str) -> None:
    """Follow a search live: progress, budget, leaderboard, rejections and their reasons."""
    with session.client() as client:
        found = client.search(name)
        report_end(session, client, found.wait() if session.is_json else follow(found))


@click.command()
@search_argument
@with_session
def wait(session: Session, name: str) -> None:
    """Block until a search has ended and what it deploys answers. Exits with 0 when it has a model,
    else, or when the model could not be deployed, with 1.
    """
    with session.client() as client:
        report_end(session, client, client.search(name).wait())


COMMANDS = (watch, wait)
