"""`headgate searches|show|trials|logs`: read what a search did."""

from __future__ import annotations

import json

import click

from headgate.cli.context import OneLineError, Session, with_session
from headgate.cli.options import search_argument
from headgate.cli.output import as_json, print_list, print_resource, print_table, short
from headgate.cli.watch_view import budget_line
from headgate.units import format_bytes, format_duration
from headgate.v1 import search_pb2, trial_pb2

TrialState = trial_pb2.Trial.State


@click.command()
@with_session
def searches(session: Session) -> None:
    """List searches, newest first."""
    with session.client() as client:
        found = list(client.searches())
    if session.is_json:
        print_list("searches", found)
        return
    print_table(
        ("search", "state", "target", "metric", "best", "trials", "rejected", "model"),
        (
            (
                short(s.name),
                search_pb2.Search.State.Name(s.state),
                s.spec.target_column,
                s.metric,
                f"{s.best_score:.5g}" if s.HasField("best_score") else "",
                str(s.progress.counted_trials),
                str(s.progress.trials_by_state.get("REJECTED", 0)),
                short(s.model),
            )
            for s in found
        ),
    )


@click.command()
@search_argument
@with_session
def show(session: Session, name: str) -> None:
    """Show one search."""
    with session.client() as client:
        found = client.search(name).get()
    if session.is_json:
        print_resource(found)
        return
    task = search_pb2.Task.Name(found.task).removeprefix("TASK_").lower()
    click.echo(f"{found.name}: {budget_line(found)}")
    click.echo(f"  {task} of {found.spec.target_column!r} in {found.spec.dataset}")
    click.echo(f"  {found.validation}; metric {found.metric}; seed {found.spec.seed}")
    if found.classes:
        click.echo(f"  classes: {', '.join(found.classes)}")
    for note in found.notes:
        click.echo(f"  note: {note}")
    for reason, count in sorted(found.progress.rejections_by_reason.items()):
        click.echo(f"  rejected: {count} {reason}")
    for label, value in (
        ("best trial", found.best_trial),
        ("model", found.model),
        ("deployment", found.deployment),
        ("error", found.error.message),
    ):
        if value:
            click.echo(f"  {label}: {value}")


@click.command()
@search_argument
@click.option("--state", multiple=True, help="Only trials in this state, e.g. rejected.")
@with_session
def trials(session: Session, name: str, state: tuple[str, ...]) -> None:
    """List a search's trials: verdict, score, memory predicted and used, failures."""
    wanted = []
    for text in state:
        if text.upper() not in TrialState.keys():  # noqa: SIM118 - an enum wrapper, not a dict
            known = ", ".join(n.lower() for n in TrialState.keys()[1:])
            raise OneLineError(f"--state: {text!r} is unknown; use one of {known}")
        wanted.append(TrialState.Value(text.upper()))
    with session.client() as client:
        found = client.search(name).trials(wanted)  # type: ignore[arg-type]
    if session.is_json:
        print_list("trials", found)
        return
    print_table(
        ("trial", "family", "state", "score", "time", "predicted", "reserved", "used", "why"),
        (_row(trial) for trial in found),
    )


def _row(trial: trial_pb2.Trial) -> tuple[str, ...]:
    verdict = trial.verdict
    reserved = verdict.reservation.memory_bytes
    used = trial.usage.peak_memory_bytes
    seconds = trial.usage.wall_time.ToTimedelta().total_seconds()
    return (
        str(trial.number),
        trial.family,
        TrialState.Name(trial.state),
        f"{trial.score:.5g}" if trial.HasField("score") else "",
        format_duration(seconds) if trial.HasField("usage") else "",
        format_bytes(verdict.prediction.peak_memory_bytes),
        format_bytes(reserved) if reserved else "",
        format_bytes(used) if used else "",
        _why(trial),
    )


def _why(trial: trial_pb2.Trial) -> str:
    """What there is to say: the failure, or what the gate did beside letting it in."""
    is_plain = trial.verdict.decision == trial_pb2.Verdict.ADMITTED and not trial.history
    return trial.failure.message or ("" if is_plain else trial.verdict.message)


@click.command()
@search_argument
@click.option("--trial", type=int, metavar="N", help="Failure of one trial instead.")
@with_session
def logs(session: Session, name: str, trial: int | None) -> None:
    """Print the driver's log and every failed trial's traceback and last error output."""
    with session.client() as client:
        found = client.search(name)
        if trial is not None:
            chosen = found.trial(trial)
            if session.is_json:
                print_resource(chosen)
            else:
                click.echo(_failure(chosen) or f"trial {trial} has no failure to show")
            return
        text, listed = found.log(), found.trials()
    failed = [t for t in listed if t.HasField("failure")]
    if session.is_json:
        document = {"text": text, "failed_trials": [as_json(t) for t in failed]}
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(text, nl=not text.endswith("\n"))
    for one in failed:
        click.echo(_failure(one))


def _failure(trial: trial_pb2.Trial) -> str:
    if not trial.HasField("failure"):
        return ""
    failure = trial.failure
    kind = trial_pb2.TrialFailure.Kind.Name(failure.kind)
    parts = [f"--- trial {trial.number} {trial.family}: {kind}: {failure.message}"]
    if failure.traceback:
        parts.append(failure.traceback.rstrip())
    if failure.stderr_tail:
        parts += ["stderr:", failure.stderr_tail.rstrip()]
    return "\n".join(parts)


COMMANDS = (searches, show, trials, logs)
