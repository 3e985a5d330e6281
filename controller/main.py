"""The commands `headgate up` and `headgate controller`.

`up` brings a Ray instance of its own unless `--ray-address` names one; `controller` never does.
Both run until SIGINT or SIGTERM and then drain. Exit codes: 0 drained, 1 something that is needed
ended, 2 wrong input.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from controller.adapters.local_ray import LocalRay, RaySize
from controller.data_dir import DataDir
from controller.domain.calibration import LEAST_COVERAGE, MOST_COVERAGE
from controller.domain.errors import HeadgateError
from controller.lifetime import run
from controller.settings import GIB, MIB, ControllerSettings
from headgate.cli.options import DURATION, SIZE
from workers.node.machine import available_cores, available_memory_bytes

# Measured on two cores: an idle head with dashboard holds 0.6-0.7 GiB of anonymous memory, Serve
# with one replica 0.5 more, a search's driver 0.25, agent and forkserver 0.3, the controller 0.15.
_PLATFORM_BYTES = 2 * GIB
_LEAST_TRIAL_BYTES = 256 * MIB
_OBJECT_STORE_BYTES = 128 * MIB  # results are small and tables are memory-mapped files

_F = TypeVar("_F", bound=Callable[..., Any])


def _options(command: _F) -> _F:
    """Options of both commands."""
    defaults = ControllerSettings(Path())
    options = [
        click.option(
            "--grpc",
            default=defaults.grpc_address,
            show_default=True,
            metavar="HOST:PORT",
            help="Where the API listens; port 0 picks a free one.",
        ),
        click.option(
            "--http",
            default=defaults.http_address,
            show_default=True,
            metavar="HOST:PORT",
            help="Where /metrics, /healthz and /readyz listen.",
        ),
        click.option(
            "--data-dir",
            type=click.Path(file_okay=False, path_type=Path),
            default=Path("headgate-data"),
            show_default=True,
            envvar="HEADGATE_DATA_DIR",
            help="Everything that outlives the process.",
        ),
        click.option(
            "--ray-address",
            default="",
            metavar="http://HOST:8265",
            help="The dashboard of an existing Ray cluster. Its token comes from "
            "RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH.",
        ),
        click.option(
            "--advertise",
            default="",
            metavar="HOST:PORT",
            help="The API as Ray's nodes reach it. Default: the listening address.",
        ),
        click.option(
            "--artifacts",
            default="",
            metavar="URI",
            help="Root of datasets and models, e.g. s3://bucket/headgate. "
            "Default: DATA_DIR/artifacts.",
        ),
        click.option(
            "--work-dir",
            default="",
            metavar="DIR",
            help="Working files of searches on Ray's nodes. Default: DATA_DIR/work.",
        ),
        click.option(
            "--ray-python",
            default="",
            metavar="PROGRAM",
            help="Python that runs drivers on an existing cluster. Default: python.",
        ),
        click.option(
            "--serve-host",
            default="",
            metavar="HOST",
            help="Inference on an existing cluster as clients reach it.",
        ),
        click.option(
            "--serve-http-port",
            default=defaults.serve_http_port,
            show_default=True,
            help="HTTP inference port on an existing cluster.",
        ),
        click.option(
            "--serve-grpc-port",
            default=defaults.serve_grpc_port,
            show_default=True,
            help="gRPC inference port on an existing cluster.",
        ),
        click.option(
            "--coverage",
            type=click.FloatRange(LEAST_COVERAGE, MOST_COVERAGE),
            show_default=True,
            default=defaults.coverage,
            help="Share of trials promised to stay below their memory bound.",
        ),
        click.option(
            "--max-running-searches",
            type=click.IntRange(min=1),
            show_default=True,
            default=defaults.max_running_searches,
            help="Others wait PENDING.",
        ),
        click.option(
            "--reader-memory",
            type=SIZE,
            default="1GiB",
            show_default=True,
            help="Memory of the child that reads new datasets.",
        ),
        click.option(
            "--max-upload",
            type=SIZE,
            default="10GiB",
            show_default=True,
            help="Largest uploaded table.",
        ),
        click.option(
            "--retention",
            type=DURATION,
            default=None,
            metavar="TIME",
            help="Delete ended searches so long after their end. Default: never.",
        ),
        click.option(
            "--ready-file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Gets the addresses as JSON once controller and Ray answer.",
        ),
        click.option("--verbose", is_flag=True, help="Log debug messages."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_options
@click.option("--cpus", type=click.IntRange(min=1), help="Cores for trials. Default: all.")
@click.option(
    "--memory",
    type=SIZE,
    metavar="SIZE",
    help="Memory for trials, e.g. 4GiB. Default: what is free, less 2 GiB.",
)
def up(cpus: int | None, memory: float | None, **given: Any) -> None:  # noqa: ANN401 - see _settings
    """Start the controller with a Ray of its own (or with --ray-address, an existing one)."""
    settings = _settings(given)
    if settings.ray_address:
        if cpus is not None or memory is not None:
            name = "cpus" if cpus is not None else "memory"
            raise click.UsageError(
                f"--{name} sizes the embedded Ray; leave it out with --ray-address"
            )
        _serve(settings, None)
        return
    size = RaySize(cpus or available_cores(), _trial_memory(memory), _OBJECT_STORE_BYTES)
    _serve(settings, size)


@click.command()
@_options
def controller(**given: Any) -> None:  # noqa: ANN401 - see _settings
    """Start the controller alone, for an existing Ray cluster (--ray-address)."""
    settings = _settings(given)
    if not settings.ray_address:
        raise click.UsageError("--ray-address is needed; `headgate up` brings a Ray of its own")
    _serve(settings, None)


def _trial_memory(asked: float | None) -> int:
    """Bytes for trials: as asked, else what is left. Raises: UsageError when that is too little."""
    if asked is not None:
        if asked < _LEAST_TRIAL_BYTES:
            raise click.UsageError("--memory must be at least 256MiB; no family fits below")
        return int(asked)
    left = available_memory_bytes() - _PLATFORM_BYTES
    if left < _LEAST_TRIAL_BYTES:
        raise click.UsageError(
            f"only {(left + _PLATFORM_BYTES) // MIB} MiB of memory are free; Ray and the controller"
            " take 2 GiB; free some, or set --memory"
        )
    return left // (64 * MIB) * (64 * MIB)


def _settings(given: dict[str, Any]) -> ControllerSettings:
    """The settings as the command line gives them. Raises: UsageError."""
    level = logging.DEBUG if given["verbose"] else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for option in ("grpc", "http", "advertise"):
        _check_address(f"--{option}", given[option], may_be_empty=option == "advertise")
    address = given["ray_address"]
    if address and not address.startswith(("http://", "https://")):
        raise click.UsageError("--ray-address must be the dashboard's URL, e.g. http://HOST:8265")
    return ControllerSettings(
        data_dir=given["data_dir"].absolute(),
        grpc_address=given["grpc"],
        http_address=given["http"],
        ray_address=address,
        ray_token=_ray_token() if address else "",
        advertise=given["advertise"],
        artifacts_uri=given["artifacts"],
        work_dir=given["work_dir"],
        ray_python=given["ray_python"],
        serve_host=given["serve_host"],
        serve_http_port=given["serve_http_port"],
        serve_grpc_port=given["serve_grpc_port"],
        reader_memory_bytes=int(given["reader_memory"]),
        max_upload_bytes=int(given["max_upload"]),
        coverage=given["coverage"],
        max_running_searches=given["max_running_searches"],
        retention_seconds=given["retention"],
        ready_file=given["ready_file"],
    )


def _check_address(option: str, value: str, *, may_be_empty: bool) -> None:
    host, _, port = value.rpartition(":")
    is_port = port.isdecimal() and int(port) <= 65_535
    if not (may_be_empty and not value) and not (host and is_port):
        raise click.UsageError(f"{option}: {value!r} is no address; write HOST:PORT")


def _ray_token() -> str:
    """The existing cluster's token from the environment, empty when none is set."""
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return token.strip()
    if path := os.environ.get("RAY_AUTH_TOKEN_PATH"):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise click.UsageError(f"RAY_AUTH_TOKEN_PATH: {path}: {error.strerror}") from error
    return ""


def _serve(settings: ControllerSettings, size: RaySize | None) -> None:
    """Runs until told to stop, then exits."""
    try:
        with DataDir(settings.data_dir) as data_dir:
            local_ray = None if size is None else LocalRay(data_dir.ray, size)
            try:
                is_clean = asyncio.run(run(settings, data_dir, local_ray))
            finally:
                # A second Ctrl-C must not cut short what leaves no process behind.
                for number in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(number, signal.SIG_IGN)
                if local_ray is not None:
                    local_ray.stop()
    except HeadgateError as error:
        raise click.ClickException(error.message) from error
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or settings.data_dir}: {error.strerror or error}; "
            "free some space, or set --data-dir to a place that can be written"
        ) from error
    sys.exit(0 if is_clean else 1)
