"""`headgate submit` and `headgate space`."""

from __future__ import annotations

import click

from headgate.cli.context import Session, with_session
from headgate.cli.follow import follow, report_end
from headgate.cli.output import print_resource, short
from headgate.cli.spec_options import spec_options
from headgate.space_file import format_space
from headgate.spec import SearchOptions


@click.command()
@click.argument("source", metavar="FILE|URI")
@click.option("--target", required=True, metavar="COL", help="The column to predict.")
@click.option("--name", default="", help="Id of the search; the server chooses one otherwise.")
@click.option("--watch", is_flag=True, help="Follow the search until it ends.")
@click.option("--deploy", default="", metavar="NAME", help="Serve the winner under this name.")
@with_session
@spec_options
def submit(
    session: Session,
    source: str,
    target: str,
    name: str,
    options: SearchOptions,
    watch: bool,
    deploy: str,
) -> None:
    """Search for the best model of a table within a budget (--time, --trials or both)."""
    options = options.changed(deploy=deploy)
    with session.client() as client:
        created = client.submit(source, target, name=name, options=options)
        if not watch:
            resource = created.get()
            if session.is_json:
                print_resource(resource)
            else:
                click.echo(f"{short(resource.name)} was accepted; `headgate watch` follows it")
            return
        final = created.wait() if session.is_json else follow(created)
        report_end(session, client, final)


@click.command()
@click.option("--family", multiple=True, help="Family to print; all by default.")
@with_session
def space(session: Session, family: tuple[str, ...]) -> None:
    """Print the default search space with documentation, as a file for `submit --space`."""
    with session.client() as client:
        found = client.search_space(family)
    if session.is_json:
        print_resource(found)
    else:
        click.echo(format_space(found), nl=False)


COMMANDS = (submit, space)
