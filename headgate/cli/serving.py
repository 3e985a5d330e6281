"""Waiting for a deployment, told to people."""

from __future__ import annotations

import click

from headgate.cli.output import short
from headgate.client import DEPLOY_SECONDS, Client
from headgate.errors import ServerError
from headgate.units import format_duration
from headgate.v1 import search_pb2
from headgate.v1.deployment_pb2 import Deployment


def describe(deployment: Deployment) -> str:
    """Name, version and state, and why it FAILED."""
    state = Deployment.State.Name(deployment.state)
    why = f": {deployment.error.message}" if deployment.error.message else ""
    return f"{short(deployment.name)} version {deployment.version} is {state}{why}"


def await_aloud(client: Client, name: str, timeout_seconds: float) -> Deployment:
    """The deployment once it is not PENDING any more, or the time is up; says on stderr that it
    waits.
    """
    found = client.deployment(name)
    if found.state != Deployment.State.PENDING or timeout_seconds <= 0:
        return found
    longest = format_duration(timeout_seconds)
    click.echo(f"{short(name)} is PENDING; waiting for it, at most {longest}", err=True)
    return client.await_deployment(name, timeout_seconds)


def await_winner(client: Client, search: search_pb2.Search) -> Deployment | None:
    """The deployment that a search asked for, waited for; None when it asked for none, or when
    another model, or none at all, is served under that name by now.
    """
    if not search.deployment:
        return None
    try:
        found = client.deployment(search.deployment)
        if found.model != search.model:
            return None
        found = await_aloud(client, search.deployment, DEPLOY_SECONDS)
    except ServerError as error:
        if error.code != "NOT_FOUND":
            raise
        return None
    return found if found.model == search.model else None
