"""The options of `up` and `controller`: each reaches its setting, and nonsense is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from controller import main
from controller.adapters.local_ray import RaySize
from controller.domain.records import Quota
from controller.settings import ControllerSettings
from headgate.cli.main import main as headgate

MIB, GIB = 1 << 20, 1 << 30
RAY = "http://127.0.0.1:8265"


class Served:
    """What would have been served."""

    def __init__(self) -> None:
        self.settings: ControllerSettings | None = None
        self.size: RaySize | None = None


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    caught = Served()

    def serve(settings: ControllerSettings, size: RaySize | None) -> None:
        caught.settings, caught.size = settings, size

    monkeypatch.setattr(main, "_serve", serve)
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "HEADGATE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    return caught


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(headgate, arguments, env=environment)


def test_without_options_the_defaults_of_the_settings_hold(served: Served) -> None:
    assert run("controller", "--ray-address", RAY).exit_code == 0
    data_dir = Path("headgate-data").absolute()
    assert served.settings == ControllerSettings(data_dir, ray_address=RAY)
    assert served.size is None


OPTIONS: dict[str, tuple[str, str, Any]] = {
    "grpc_address": ("--grpc", "0.0.0.0:1234", "0.0.0.0:1234"),
    "http_address": ("--http", "0.0.0.0:1235", "0.0.0.0:1235"),
    "data_dir": ("--data-dir", "/tmp/somewhere", Path("/tmp/somewhere")),
    "ray_address": ("--ray-address", "https://ray:1", "https://ray:1"),
    "advertise": ("--advertise", "head:1234", "head:1234"),
    "artifacts_uri": ("--artifacts", "s3://bucket/x", "s3://bucket/x"),
    "work_dir": ("--work-dir", "/var/work", "/var/work"),
    "ray_python": ("--ray-python", "/opt/python", "/opt/python"),
    "serve_host": ("--serve-host", "models.example", "models.example"),
    "serve_http_port": ("--serve-http-port", "8001", 8001),
    "serve_grpc_port": ("--serve-grpc-port", "9001", 9001),
    "reader_memory_bytes": ("--reader-memory", "256MiB", 256 * MIB),
    "reader_timeout_seconds": ("--reader-timeout", "90s", 90.0),
    "max_upload_bytes": ("--max-upload", "2MiB", 2 * MIB),
    "coverage": ("--coverage", "0.9", 0.9),
    "max_running_searches": ("--max-running-searches", "7", 7),
    "retention_seconds": ("--retention", "30d", 30 * 86_400.0),
    "ready_file": ("--ready-file", "/tmp/ready", Path("/tmp/ready")),
}


def test_every_option_reaches_its_setting(served: Served, tmp_path: Path) -> None:
    config = tmp_path / "headgate.yaml"
    config.write_text("quotas:\n  default: {memory: 8GiB, cpus: 4}\n")
    arguments = [word for option, text, _ in OPTIONS.values() for word in (option, text)]
    done = run("controller", *arguments, "--config", str(config), RAY_AUTH_TOKEN=" secret\n")
    assert done.exit_code == 0, done.output
    expected: dict[str, Any] = {name: value for name, (_, _, value) in OPTIONS.items()}
    expected |= {"ray_token": "secret", "quotas": {"default": Quota(8 * GIB, 4.0)}}
    assert served.settings == ControllerSettings(**expected)


def test_every_option_is_told_where_its_setting_is() -> None:
    text = Path(main.__file__).with_name("settings.py").read_text()
    for option, _, _ in OPTIONS.values():
        assert f'"""`{option}`' in text, option


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("up", "--memory", "100MiB"), "--memory must be at least 256MiB"),
        (("up", "--memory", "lots"), "'lots' is not a size"),
        (("up", "--cpus", "0"), "--cpus"),
        (("up", "--memory", "1GiB", "--ray-address", RAY), "--memory sizes the embedded Ray"),
        (("up", "--cpus", "1", "--ray-address", RAY), "--cpus sizes the embedded Ray"),
        (("controller",), "--ray-address is needed"),
        (("controller", "--ray-address", "ray:8265"), "must be the dashboard's URL"),
        (("controller", "--ray-address", RAY, "--grpc", "50051"), "--grpc: '50051' is no address"),
        (("controller", "--ray-address", RAY, "--http", "x:99999"), "--http: 'x:99999'"),
        (("controller", "--ray-address", RAY, "--reader-memory", "1MiB"), "at least 256MiB"),
        (("controller", "--ray-address", RAY, "--reader-timeout", "0"), "at least 1s"),
        (("controller", "--ray-address", RAY, "--max-upload", "1"), "at least 1MiB"),
        (("controller", "--ray-address", RAY, "--coverage", "1.5"), "--coverage"),
        (("controller", "--ray-address", RAY, "--max-running-searches", "0"), "--max-running"),
    ],
)
def test_nonsense_is_one_line(served: Served, arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert served.settings is None


def test_the_embedded_ray_has_the_size_that_was_asked_for(served: Served) -> None:
    assert run("up", "--cpus", "3", "--memory", "1GiB").exit_code == 0
    assert served.size is not None
    assert served.size.cpus == 3
    assert served.size.memory_bytes >= 1 * GIB  # drivers and serving come on top
    smaller = served.size.memory_bytes
    assert run("up", "--cpus", "3", "--memory", "2GiB").exit_code == 0
    assert served.size.memory_bytes == smaller + 1 * GIB
