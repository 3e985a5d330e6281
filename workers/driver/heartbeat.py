"""Tells the controller every two seconds that the driver is alive, and hears what to do."""

from __future__ import annotations

from workers.driver.control import Control
from workers.driver.controller_client import ControllerClient

PERIOD_SECONDS = 2.0
HUNGRY_SECONDS = 0.25
"""The period while nothing can start without the controller's word."""


def beat(client: ControllerClient, control: Control) -> None:
    """Never returns. Blocks while the controller is away. Raises: SearchOver, ControllerRefused."""
    while True:
        control.check()
        phase = control.phase
        nodes = control.take_nodes()
        control.apply(client.heartbeat(control.spec_revision, phase, nodes))
        _pause(control, phase)


def _pause(control: Control, said: str) -> None:
    """Until the next beat is due; a new phase is told at once."""
    control.wait_for(lambda: control.phase != said or control.is_hungry, PERIOD_SECONDS)
    if control.is_hungry:
        control.wait_for(lambda: not control.is_hungry, HUNGRY_SECONDS)
