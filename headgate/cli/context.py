"""What every command needs: the client, the output format, and errors as one line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click

from headgate.client import Client, connect
from headgate.errors import HeadgateError, ServerError

EXIT_FAILED = 1
EXIT_USAGE = 2

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass
class Session:
    """The options that stand before the command."""

    server: str | None
    namespace: str
    is_json: bool

    def client(self) -> Client:
        """A client as the options say; use it in a `with` block."""
        return connect(self.server, namespace=self.namespace)


def with_session(command: _F) -> _F:
    """Gives a command the `Session` as first argument, and `--output` after the command too."""

    @click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default=None,
        help="text or json; json prints the API's resource and nothing else.",
    )
    @click.pass_context
    @functools.wraps(command)
    def wrapped(ctx: click.Context, /, *args: object, output: str | None, **kw: object) -> object:
        session: Session = ctx.obj
        if output is not None:
            session = replace(session, is_json=output == "json")
        return one_line_errors(command)(session, *args, **kw)

    return wrapped  # type: ignore[return-value]


class OneLineError(click.ClickException):
    """An error as one line on stderr, with exit code 2."""

    exit_code = EXIT_USAGE

    def show(self, file: Any = None) -> None:  # noqa: ANN401 - click's signature
        """Writes `error: …`."""
        click.echo(f"error: {' '.join(self.message.split())}", err=True, file=file)


def one_line_errors(command: _F) -> _F:
    """Turns the client's errors into `OneLineError`."""

    @functools.wraps(command)
    def wrapped(*args: object, **kwargs: object) -> object:
        try:
            return command(*args, **kwargs)
        except ServerError as error:
            reason = f" [{error.reason}]" if error.reason else ""
            raise OneLineError(f"{error.message}{reason}") from error
        except HeadgateError as error:
            raise OneLineError(str(error)) from error

    return wrapped  # type: ignore[return-value]
