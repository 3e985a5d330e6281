"""The command `headgate`: searches, models and deployments from a shell.

Exit codes: 0 success; 1 a search failed or was cancelled, a model could not be deployed, or nothing
of a plan fits; 2 wrong input or no server. The server side adds its own commands (`up`,
`controller`, `node-memory`) through the entry point group `headgate.commands`.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points, version
from typing import Any

import click

from headgate.cli import data, deploy, follow, plan, search, steer, submit
from headgate.cli.context import EXIT_USAGE, OneLineError, Session

_SERVER_COMMANDS = ("up", "controller", "node-memory")
EXIT_INTERRUPTED = 130


class _Commands(click.Group):
    """Our commands and those of installed packages."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - click's signature
        """Runs a command; wrong usage becomes one line on stderr and exit code 2."""
        try:
            return super().main(*args, **{**extra, "standalone_mode": False})
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "headgate"
            message = " ".join(error.format_message().split())
            click.echo(f"error: {message} (see `{path} --help`)", err=True)
            sys.exit(EXIT_USAGE)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(EXIT_INTERRUPTED)
        except BrokenPipeError:
            # The reader of our output left, as `head` does: nothing more to say.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *entry_points(group="headgate.commands").names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = super().get_command(ctx, cmd_name)
        if known is not None:
            return known
        for entry in entry_points(group="headgate.commands", name=cmd_name):
            command = entry.load()
            if isinstance(command, click.Command):
                return command
        if cmd_name in _SERVER_COMMANDS:
            raise OneLineError(
                f"`headgate {cmd_name}` is part of the server; pip install headgate-server"
            )
        return None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--server",
    envvar="HEADGATE_SERVER",
    metavar="HOST:PORT",
    help="The controller. Default: $HEADGATE_SERVER, else 127.0.0.1:50051.",
)
@click.option("--namespace", default="default", show_default=True, help="Where resources live.")
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json prints the API's resource as one document and nothing else.",
)
@click.version_option(version("headgate"), prog_name="headgate")
@click.pass_context
def main(ctx: click.Context, server: str | None, namespace: str, output: str) -> None:
    """AutoML search that fits the cluster it runs on."""
    ctx.obj = Session(server, namespace, output == "json")


for module in (submit, plan, search, follow, steer, data, deploy):
    for command in module.COMMANDS:
        main.add_command(command)
