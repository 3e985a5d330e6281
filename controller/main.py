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
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from controller.adapters.local_ray import LocalRay, RaySize
from controller.config_file import read_config
from controller.data_dir import DataDir
from controller.domain.calibration import LEAST_COVERAGE, MOST_COVERAGE
from controller.domain.errors import HeadgateError
from controller.domain.records import Quota
from controller.lifetime import run
from controller.settings import (
    LEAST_READER_BYTES,
    LEAST_READER_SECONDS,
    LEAST_UPLOAD_BYTES,
    MIB,
    ControllerSettings,
)
from controller.sizing import LEAST_TRIAL_BYTES, Sizing, TooLittleMemory, sized, sized_for
from headgate.cli.options import DURATION, SIZE
from workers.node.gpus import BadInventory, Gpu, inventory
from workers.node.machine import NodeMemory, available_cores

_OBJECT_STORE_BYTES = 128 * MIB  # results are small and tables are memory-mapped files

log = logging.getLogger("headgate")

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
            "--reader-timeout",
            type=DURATION,
            default="30m",
            show_default=True,
            help="How long reading a new dataset may take.",
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
        click.option(
            "--config",
            type=click.Path(dir_okay=False, exists=True, path_type=Path),
            help="YAML file; section `quotas` limits what namespaces may hold.",
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
    help="Memory for trials, e.g. 4GiB; Ray, drivers and serving come on top. "
    "Default: what is free, less those.",
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
    cores = cpus or available_cores()
    sizing = _sizing(memory, cores, settings.max_running_searches)
    settings = replace(
        settings, max_running_searches=sizing.searches, gateway_spare_bytes=sizing.spare_bytes
    )
    _serve(settings, RaySize(cores, sizing.ray_bytes, _OBJECT_STORE_BYTES, len(_gpus())))


@click.command()
@_options
def controller(**given: Any) -> None:  # noqa: ANN401 - see _settings
    """Start the controller alone, for an existing Ray cluster (--ray-address)."""
    settings = _settings(given)
    if not settings.ray_address:
        raise click.UsageError("--ray-address is needed; `headgate up` brings a Ray of its own")
    _serve(settings, None)


def _gpus() -> tuple[Gpu, ...]:
    """The GPUs of this machine. Raises: UsageError."""
    try:
        return inventory(os.environ)
    except BadInventory as error:
        raise click.UsageError(str(error)) from error


def _sizing(asked: float | None, cores: int, searches: int) -> Sizing:
    """Memory for trials: as asked, else of what is left. Raises: UsageError when too little."""
    if asked is not None:
        if asked < LEAST_TRIAL_BYTES:
            raise click.UsageError("--memory must be at least 256MiB; no family fits below")
        return sized_for(int(asked), searches)
    memory = NodeMemory()
    try:
        sizing = sized(memory.available_bytes(), memory.total_bytes(), cores, searches)
    except TooLittleMemory as error:
        raise click.UsageError(str(error)) from error
    log.info("%d MiB of memory for trials, %d searches at once", sizing.trial_bytes >> 20,
             sizing.searches)  # fmt: skip
    return sizing


def _settings(given: dict[str, Any]) -> ControllerSettings:
    """The settings as the command line gives them. Raises: UsageError."""
    level = logging.DEBUG if given["verbose"] else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for option in ("grpc", "http", "advertise"):
        _check_address(f"--{option}", given[option], may_be_empty=option == "advertise")
    _check_least("--reader-memory", given["reader_memory"], LEAST_READER_BYTES, "256MiB")
    _check_least("--reader-timeout", given["reader_timeout"], LEAST_READER_SECONDS, "1s")
    _check_least("--max-upload", given["max_upload"], LEAST_UPLOAD_BYTES, "1MiB")
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
        reader_timeout_seconds=given["reader_timeout"],
        max_upload_bytes=int(given["max_upload"]),
        coverage=given["coverage"],
        max_running_searches=given["max_running_searches"],
        retention_seconds=given["retention"],
        ready_file=given["ready_file"],
        quotas=_quotas(given["config"]),
    )


def _quotas(path: Path | None) -> Mapping[str, Quota]:
    """Of a configuration file, none without one. Raises: UsageError."""
    if path is None:
        return {}
    try:
        return read_config(path.read_text())
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--config {path}: {error}") from error


def _check_least(option: str, value: float, least: float, told: str) -> None:
    if value < least:
        raise click.UsageError(f"{option} must be at least {told}")


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
