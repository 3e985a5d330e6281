"""`headgate deploy|deployments|undeploy|predict`: models in production."""

from __future__ import annotations

import sys

import click

from headgate.cli.context import EXIT_FAILED, Session, with_session
from headgate.cli.data import model_of
from headgate.cli.options import DURATION
from headgate.cli.output import print_list, print_resource, print_table, short
from headgate.cli.serving import await_aloud, describe
from headgate.tables import read_columns, write_predictions
from headgate.v1.deployment_pb2 import Deployment


@click.command()
@click.argument("model", metavar="SEARCH|MODEL")
@click.option("--name", required=True, help="Id of the deployment; an existing one is updated.")
@click.option(
    "--wait",
    "timeout",
    type=DURATION,
    default="5m",
    show_default=True,
    help="How long to wait until it answers; 0 does not wait.",
)
@with_session
def deploy(session: Session, model: str, name: str, timeout: float) -> None:
    """Serve a model through the Open Inference Protocol."""
    with session.client() as client:
        wanted = client.deploy(model_of(client, model), name)
        found = await_aloud(client, wanted.name, timeout) if timeout else wanted
    if session.is_json:
        print_resource(found)
    else:
        click.echo(describe(found))
        if found.state == Deployment.State.READY:
            click.echo(f"  {found.inference_http}/v2/models/{found.inference_name}/infer")
    is_ready = found.state == Deployment.State.READY
    if found.state == Deployment.State.FAILED or (timeout and not is_ready):
        sys.exit(EXIT_FAILED)


@click.command()
@with_session
def deployments(session: Session) -> None:
    """List deployments, newest first."""
    with session.client() as client:
        found = list(client.deployments())
    if session.is_json:
        print_list("deployments", found)
        return
    print_table(
        ("deployment", "state", "version", "model", "endpoint", "error"),
        (
            (
                short(d.name),
                Deployment.State.Name(d.state),
                str(d.version),
                short(d.model),
                f"{d.inference_http}/v2/models/{d.inference_name}",
                d.error.message,
            )
            for d in found
        ),
    )


@click.command()
@click.argument("name", metavar="DEPLOYMENT")
@with_session
def undeploy(session: Session, name: str) -> None:
    """Take a deployment down."""
    with session.client() as client:
        client.delete_deployment(name)
    if not session.is_json:
        click.echo(f"{name} is being taken down")


@click.command()
@click.argument("deployment", metavar="DEPLOYMENT")
@click.option(
    "--input", "source", required=True, type=click.Path(), help="CSV, JSON lines, Parquet."
)
@click.option("--to", "target", required=True, type=click.Path(), help="The CSV to write.")
@click.option(
    "--timeout",
    type=DURATION,
    default="5m",
    show_default=True,
    help="How long to wait for a deployment that is PENDING; 0 does not wait.",
)
@with_session
def predict(session: Session, deployment: str, source: str, target: str, timeout: float) -> None:
    """Predict the rows of a file with a deployment, into a CSV in input order."""
    columns = read_columns(source)
    with session.client() as client:
        await_aloud(client, deployment, timeout)
        result = client.predict(deployment, columns, timeout_seconds=0)
    write_predictions(result, target)
    if not session.is_json:
        click.echo(f"wrote {len(result.labels)} predictions to {target}")


COMMANDS = (deploy, deployments, undeploy, predict)
