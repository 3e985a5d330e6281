"""`headgate plan`: what a search would do, before it costs anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click
from google.protobuf.duration_pb2 import Duration

from headgate.cli.context import EXIT_FAILED, Session, with_session
from headgate.cli.output import print_resource, print_table
from headgate.cli.spec_options import spec_options
from headgate.spec import SearchOptions
from headgate.units import format_bytes, format_duration
from headgate.v1 import search_pb2, trial_pb2
from headgate.v1.search_service_pb2 import FamilyPlan, PlannedDemand, PlanSearchResponse


@click.command()
@click.argument("source", metavar="FILE|URI")
@click.option("--target", required=True, metavar="COL", help="The column to predict.")
@with_session
@spec_options
def plan(session: Session, source: str, target: str, options: SearchOptions) -> None:
    """Foretell a search: what fits, where the boundary lies, how far the budget goes.

    Starts nothing and keeps nothing; takes what `submit` takes. Exits with 1 when nothing fits.
    """
    with session.client() as client:
        found = client.plan(source, target, options=options)
    if session.is_json:
        print_resource(found)
    else:
        _print(found, target, options)
    if found.refusal:
        sys.exit(EXIT_FAILED)


def _print(found: PlanSearchResponse, target: str, options: SearchOptions) -> None:
    task = search_pb2.Task.Name(found.task).removeprefix("TASK_").lower()
    classes = f" ({', '.join(found.classes)})" if found.classes else ""
    click.echo(f"{task} of {target!r}{classes}; {found.validation}; metric {found.metric}")
    print_table(
        ("family", "fits", "refused for", "memory", "p90", "with safety", "p90", "CPU", "p90"),
        (_row(each) for each in found.families),
    )
    for family in found.families:
        for line in _details(family):
            click.echo(f"  {family.family}: {line}")
    for note in found.notes:
        click.echo(f"  note: {note}")
    for line in _outlook(found, options):
        click.echo(line)


def _row(family: FamilyPlan) -> tuple[str, ...]:
    """The demand is that of candidates that fit, of all when none does."""
    has_fitting = family.HasField("feasible_demand")
    return (
        family.family,
        _percent(family.feasible_share),
        ", ".join(
            f"{_percent(each.share)} {trial_pb2.Verdict.Reason.Name(each.reason)}"
            for each in family.refused
        ),
        *_demand(family.feasible_demand if has_fitting else family.demand),
    )


def _demand(demand: PlannedDemand) -> tuple[str, ...]:
    return (
        format_bytes(demand.median_memory_bytes),
        format_bytes(demand.p90_memory_bytes),
        format_bytes(demand.median_bound_bytes),
        format_bytes(demand.p90_bound_bytes),
        format_duration(_seconds(demand.median_cpu_time)),
        format_duration(_seconds(demand.p90_cpu_time)),
    )


def _details(family: FamilyPlan) -> Iterator[str]:
    """Where the boundary lies, and the refused candidate that comes nearest."""
    if family.is_never_fitting:
        yield "no candidate fits"
    if family.HasField("boundary"):
        yield family.boundary.statement
    if family.HasField("lightest_refused"):
        yield f"nearest refused {family.lightest_refused.verdict.message}"


def _outlook(found: PlanSearchResponse, options: SearchOptions) -> Iterator[str]:
    if found.refusal:
        yield f"would be refused: {found.refusal}"
        return
    sizes = ", ".join(format_bytes(size) for size in found.reservation_sizes_bytes)
    at_once = f"{found.slots} trial{'' if found.slots == 1 else 's'} at once"
    yield f"{_percent(found.feasible_share)} of the space fits; {at_once}, reserving {sizes}"
    trial, overhead = _seconds(found.expected_trial_time), _seconds(found.trial_overhead)
    budget = f" of {format_duration(options.time_seconds)}" if options.time_seconds else ""
    yield (
        f"about {found.expected_trials} trials in {format_duration(_seconds(found.expected_time))}"
        f"{budget}: {format_duration(trial)} each ({overhead:.1f}s of it overhead), "
        f"{_seconds(found.expected_cpu_time) / 3600:.3g} CPU-hours"
    )


def _percent(share: float) -> str:
    """Whole percents; what is neither none nor all never reads 0 % or 100 %."""
    if 0 < share < 0.01:
        return "<1 %"
    return ">99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


COMMANDS = (plan,)
