"""The default space of a real server, printed and submitted again."""

from __future__ import annotations

from pathlib import Path

import yaml
from click.testing import CliRunner

import headgate
from controller.in_process import InProcessController
from headgate.cli.main import main
from headgate.space_file import parse_space


def test_the_printed_default_space_can_be_submitted(tmp_path: Path) -> None:
    with (
        InProcessController(tmp_path / "controller") as controller,
        headgate.connect(controller.address) as client,
    ):
        printed = CliRunner().invoke(main, ["--server", controller.address, "space"])
        assert printed.exit_code == 0, printed.output
        space = parse_space(yaml.safe_load(printed.output))
        defaults = client.search_space()
        assert set(space.families) == set(defaults.families)
        search = client.submit("sklearn:iris", "target", trials=1, space=space)
        stored = search.get().spec.space
        assert set(stored.families) == set(defaults.families)


def test_a_refused_search_takes_its_table_along(tmp_path: Path) -> None:
    with (
        InProcessController(tmp_path / "controller") as controller,
        headgate.connect(controller.address) as client,
    ):
        command = f"--server {controller.address} submit sklearn:iris --target=nope --trials=1"
        refused = CliRunner().invoke(main, command.split())
        assert refused.exit_code == 2
        assert "search.spec.target_column" in refused.stderr
        assert list(client.datasets()) == []
