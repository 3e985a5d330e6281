"""`headgate submit` and `headgate space`."""

from __future__ import annotations

import click

from headgate.cli.context import Session, with_session
from headgate.cli.follow import follow, report_end
from headgate.cli.options import DURATION, limit_options
from headgate.cli.output import print_resource, short
from headgate.space_file import format_space, read_space
from headgate.spec import TASKS, SearchOptions


@click.command()
@click.argument("source", metavar="FILE|URI")
@click.option("--target", required=True, metavar="COL", help="The column to predict.")
@click.option("--name", default="", help="Id of the search; the server chooses one otherwise.")
@click.option("--task", type=click.Choice(sorted(TASKS)), help="Default: inferred.")
@click.option("--positive-class", default="", metavar="CLASS", help="Class of binary metrics.")
@click.option("--exclude", multiple=True, metavar="COL", help="Column not to learn from.")
@click.option("--weight", default="", metavar="COL", help="Column of row weights.")
@click.option("--group", default="", metavar="COL", help="Rows of one group share a fold.")
@click.option("--order", default="", metavar="COL", help="Time column: validate on later rows.")
@click.option("--space", type=click.Path(), help="YAML or JSON file; see `headgate space`.")
@click.option("--time", "time_seconds", type=DURATION, metavar="TIME", help="Budget, e.g. 60s, 5m.")
@click.option("--trials", type=int, metavar="N", help="Budget in trials.")
@click.option("--metric", default="", help="What to optimise. Default: by task.")
@click.option("--family", multiple=True, help="Family to draw from; all by default.")
@click.option("--cpus-per-trial", type=int, metavar="N", help="Cores of a trial. Default: 1.")
@click.option("--gpus-per-trial", type=float, metavar="X", help="GPUs of a trial. Default: 0.")
@limit_options
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--watch", is_flag=True, help="Follow the search until it ends.")
@click.option("--deploy", default="", metavar="NAME", help="Serve the winner under this name.")
@with_session
def submit(
    session: Session,
    source: str,
    target: str,
    name: str,
    task: str | None,
    positive_class: str,
    exclude: tuple[str, ...],
    weight: str,
    group: str,
    order: str,
    space: str | None,
    time_seconds: float | None,
    trials: int | None,
    metric: str,
    family: tuple[str, ...],
    cpus_per_trial: int | None,
    gpus_per_trial: float | None,
    memory_per_trial: int | None,
    time_per_trial: float | None,
    max_concurrent: int | None,
    max_model_size: int | None,
    max_latency: float | None,
    shrink: str | None,
    seed: int,
    watch: bool,
    deploy: str,
) -> None:
    """Search for the best model of a table within a budget (--time, --trials or both)."""
    options = SearchOptions(
        time_seconds=time_seconds or 0.0,
        trials=trials or 0,
        metric=metric,
        task=task or "",
        families=family,
        positive_class=positive_class,
        exclude=exclude,
        weight_column=weight,
        group_column=group,
        time_column=order,
        space=read_space(space) if space else None,
        memory_per_trial_bytes=int(memory_per_trial or 0),
        cpus_per_trial=cpus_per_trial or 0,
        gpus_per_trial=gpus_per_trial or 0.0,
        time_per_trial_seconds=time_per_trial or 0.0,
        max_concurrent_trials=max_concurrent or 0,
        max_model_bytes=int(max_model_size or 0),
        max_predict_latency_seconds=max_latency or 0.0,
        shrink=shrink or "",
        seed=seed,
        deploy=deploy,
    )
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
