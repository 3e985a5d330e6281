"""`headgate pause|resume|stop|cancel|update|delete`: steer a search."""

from __future__ import annotations

from collections.abc import Callable

import click

from headgate.cli.context import OneLineError, Session, with_session
from headgate.cli.options import DURATION, limit_options, search_argument
from headgate.cli.output import print_resource, short
from headgate.search import Search
from headgate.spec import SearchOptions
from headgate.v1 import search_pb2


def _verb(name: str, text: str, act: Callable[[Search], search_pb2.Search]) -> click.Command:
    @click.command(name, help=text)
    @search_argument
    @with_session
    def command(session: Session, name: str) -> None:
        with session.client() as client:
            changed = act(client.search(name))
        _print(session, changed)

    return command


def _print(session: Session, changed: search_pb2.Search) -> None:
    if session.is_json:
        print_resource(changed)
    else:
        click.echo(f"{short(changed.name)} is {search_pb2.Search.State.Name(changed.state)}")


@click.command()
@search_argument
@click.option("--time", "time_seconds", type=DURATION, metavar="TIME", help="New time budget.")
@click.option("--trials", type=int, metavar="N", help="New trial budget.")
@click.option("--family", multiple=True, help="The families to draw from, from now on.")
@limit_options
@with_session
def update(
    session: Session,
    name: str,
    time_seconds: float | None,
    trials: int | None,
    family: tuple[str, ...],
    memory_per_trial: int | None,
    time_per_trial: float | None,
    max_concurrent: int | None,
    max_model_size: int | None,
    max_latency: float | None,
    shrink: str | None,
) -> None:
    """Change budget, families or limits of a search while it runs."""
    given: dict[str, tuple[str, object]] = {
        "spec.budget.time": ("time_seconds", time_seconds),
        "spec.budget.max_trials": ("trials", trials),
        "spec.families": ("families", family or None),
        "spec.limits.memory_per_trial_bytes": ("memory_per_trial_bytes", memory_per_trial),
        "spec.limits.time_per_trial": ("time_per_trial_seconds", time_per_trial),
        "spec.limits.max_concurrent_trials": ("max_concurrent_trials", max_concurrent),
        "spec.limits.max_model_bytes": ("max_model_bytes", max_model_size),
        "spec.limits.max_predict_latency": ("max_predict_latency_seconds", max_latency),
        "spec.limits.shrink": ("shrink", shrink),
    }
    changes = {path: pair for path, pair in given.items() if pair[1] is not None}
    if not changes:
        raise OneLineError("nothing to change; give --time, --trials, --family or a limit")
    options = SearchOptions().changed(**dict(changes.values()))
    with session.client() as client:
        _print(session, client.search(name).update(options, list(changes)))


@click.command()
@search_argument
@with_session
def delete(session: Session, name: str) -> None:
    """Delete a search that has ended, with its trials, log and files; its model stays."""
    with session.client() as client:
        client.search(name).delete()
    if not session.is_json:
        click.echo(f"{name} was deleted")


COMMANDS = (
    _verb("pause", "Let running trials finish and start no new one.", Search.pause),
    _verb("resume", "Go on with a paused search.", Search.resume),
    _verb("stop", "Finish now and keep the best model so far.", Search.stop),
    _verb("cancel", "End a search and keep no winner.", Search.cancel),
    update,
    delete,
)
