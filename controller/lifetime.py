"""The life of a controller process: start, say where it listens, keep Ray alive, drain."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path

import click

from controller.adapters.local_ray import LocalRay
from controller.app import Controller
from controller.data_dir import DataDir
from controller.domain.errors import Unavailable
from controller.settings import ControllerSettings

log = logging.getLogger("headgate")

_RAY_LOOK_SECONDS = 1.0
_START_ATTEMPTS = 3  # a busy machine makes Ray miss time limits of its own


def _write_ready_file(path: Path, addresses: dict[str, str]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(addresses) + "\n")
    temporary.replace(path)


async def _keep_ray(local_ray: LocalRay) -> None:
    """Starts the embedded Ray again whenever it ends by itself."""
    while True:
        await asyncio.sleep(_RAY_LOOK_SECONDS)
        if not local_ray.is_alive:
            log.error("Ray ended by itself; starting it again (log: %s)", local_ray.log_path)
            await asyncio.to_thread(local_ray.restart)
            await local_ray.wait_until_ready()


async def run(settings: ControllerSettings, data_dir: DataDir, local_ray: LocalRay | None) -> bool:
    """Runs a controller until SIGINT or SIGTERM; True when it was told to stop.

    Raises: HeadgateError when it cannot start.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    if local_ray is not None:
        await asyncio.to_thread(local_ray.start)
    controller = Controller(settings, data_dir, local_ray)
    tasks: set[asyncio.Task[None]] = set()
    try:
        await controller.start()
        tasks.add(asyncio.create_task(_announce(controller, settings, local_ray)))
        told = asyncio.create_task(_wait(stopping))
        if local_ray is not None:
            tasks.add(asyncio.create_task(_guard(local_ray)))
        while True:
            done, _ = await asyncio.wait({told, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            if told in done:
                click.echo("draining", err=True)
                return True
            for task in done:
                task.result()
                tasks.discard(task)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            # From here on we end anyway; what follows must not be cut short.
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if settings.ready_file is not None:
            settings.ready_file.unlink(missing_ok=True)
        await controller.stop()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _guard(local_ray: LocalRay) -> None:
    """Waits for Ray's first answer, then keeps it alive. Raises: Unavailable after three tries."""
    for _ in range(_START_ATTEMPTS - 1):
        try:
            await local_ray.wait_until_ready()
            break
        except Unavailable as error:
            log.warning("%s; starting it again", error.message)
            await asyncio.to_thread(local_ray.restart)
    await local_ray.wait_until_ready()
    await _keep_ray(local_ray)


async def _announce(
    controller: Controller, settings: ControllerSettings, local_ray: LocalRay | None
) -> None:
    """Prints the addresses and writes the ready file once everything answers."""
    await controller.wait_until_ready()
    addresses = controller.addresses()
    how = "" if local_ray is None else " (adopted)" if local_ray.is_adopted else " (started)"
    click.echo("headgate is ready")
    click.echo(f"  API        {addresses['grpc']}")
    click.echo(f"  metrics    http://{addresses['http']}/metrics")
    click.echo(f"  inference  {addresses['inference_http']} (starts with the first deployment)")
    click.echo(f"  Ray        {addresses['ray_dashboard']}{how}")
    if local_ray is not None:
        click.echo(f"  Ray's metrics  http://{local_ray.metrics_address}/metrics")
    sys.stdout.flush()
    if settings.ready_file is not None:
        await asyncio.to_thread(_write_ready_file, settings.ready_file, addresses)
