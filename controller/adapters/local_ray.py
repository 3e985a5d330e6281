"""The Ray instance that `headgate up` brings along: started, adopted, watched and ended.

It is a child in a kernel session of its own. What is needed to find it again is written to
`DATA_DIR/ray/run.json` before it is used, so an `up` that was killed leaves nothing unknown: the
next one on the same data directory adopts it when it answers and has the same size, else ends it.
Never imports Ray: the program is started through its command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.adapters.ports import PortBlock, retake_block, take_block
from controller.adapters.processes import (
    ProcessIdentity,
    descendants,
    end_all,
    session_members,
)
from controller.adapters.ray_rest import RayRest
from controller.domain.errors import Unavailable

_START_TIMEOUT_SECONDS = 180.0  # an idle two-core machine takes 5-10 s; a busy one far longer
_DRAIN_SECONDS = 4.0  # Ray waits up to 30 s for actors; what has to last is in our store
_SOCKET_PATH_LIMIT = 107  # bytes of a Unix socket's path (unix(7)), the final zero left out
_RAY_SOCKET_SUFFIX = 80  # bytes that Ray appends: /session_DATE_PID/sockets/plasma_store
_VERSION = 1

# Places in the port block.
_GCS, _CLIENT, _DASHBOARD, _AGENT, _METRICS, _NODE_MANAGER, _OBJECTS, _RUNTIME_ENV = range(8)
_AGENT_GRPC, _DASHBOARD_METRICS, _SERVE_HTTP, _SERVE_GRPC = range(8, 12)


@dataclass(frozen=True)
class RaySize:
    """cpus: cores that trials may use. memory_bytes: memory that trials may use, Ray's `memory`
    resource. object_store_bytes: Ray's shared-memory store. gpus: devices that trials may use.
    """

    cpus: int
    memory_bytes: int
    object_store_bytes: int
    gpus: int = 0


@dataclass(frozen=True)
class RunRecord:
    """What `run.json` holds. pid and start_ticks name the head process, leader of its session; link
    is the short way to Ray's files, empty when none was needed.
    """

    version: int
    pid: int
    start_ticks: int
    first_port: int
    cpus: int
    memory_bytes: int
    object_store_bytes: int
    python: str
    link: str = ""
    gpus: int = 0

    @property
    def head(self) -> ProcessIdentity:
        """The head process."""
        return ProcessIdentity(self.pid, self.start_ticks)


class LocalRay:
    """One embedded Ray below `directory`; the data directory's lock lets one `up` use it."""

    def __init__(self, directory: Path, size: RaySize) -> None:
        self._directory = directory
        self._size = size
        self._ports: PortBlock | None = None
        self._record: RunRecord | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._link = ""
        self.is_adopted = False
        directory.mkdir(parents=True, exist_ok=True)
        self.token = self._read_token()

    def _read_token(self) -> str:
        """The token of this data directory's Ray, made on first use."""
        path = self.token_path
        if not path.exists() or not path.read_text().strip():
            temporary = path.with_suffix(".tmp")
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
            temporary.replace(path)
        return path.read_text().strip()

    @property
    def token_path(self) -> Path:
        """The file that holds Ray's token."""
        return self._directory / "auth_token"

    @property
    def _run_path(self) -> Path:
        return self._directory / "run.json"

    @property
    def log_path(self) -> Path:
        """Where Ray's start-up output goes."""
        return self._directory / "ray.log"

    def _port(self, place: int) -> int:
        if self._ports is None:
            raise RuntimeError("Ray was not started")
        return self._ports[place]

    @property
    def dashboard_address(self) -> str:
        """`http://HOST:PORT` of Ray's dashboard, Jobs and Serve REST APIs."""
        return f"http://127.0.0.1:{self._port(_DASHBOARD)}"

    @property
    def metrics_address(self) -> str:
        """`HOST:PORT` where Ray's own metrics are scraped."""
        return f"127.0.0.1:{self._port(_METRICS)}"

    @property
    def serve_http_port(self) -> int:
        """The port reserved for Serve's HTTP ingress."""
        return self._port(_SERVE_HTTP)

    @property
    def serve_grpc_port(self) -> int:
        """The port reserved for Serve's gRPC ingress."""
        return self._port(_SERVE_GRPC)

    def _temp_dir(self) -> Path:
        """Where Ray keeps its session; below the data directory. Reached through a short link
        where the path would be too long for Ray's sockets.
        """
        target = self._directory / "session"
        target.mkdir(exist_ok=True)
        if len(os.fsencode(target)) + _RAY_SOCKET_SUFFIX <= _SOCKET_PATH_LIMIT:
            return target
        if not self._link:
            # In a new directory of our own: nobody else can have put the link there.
            self._link = str(Path(tempfile.mkdtemp(prefix="hg-")) / "s")
        Path(self._link).unlink(missing_ok=True)
        Path(self._link).symlink_to(target)
        return Path(self._link)

    def _environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        return inherited | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token_path),
            "RAY_USAGE_STATS_ENABLED": "0",
            "DASHBOARD_METRIC_PORT": str(self._port(_DASHBOARD_METRICS)),
            "PYTHONUNBUFFERED": "1",
        }

    def _command(self) -> list[str]:
        ports = {
            "port": _GCS,
            "ray-client-server-port": _CLIENT,
            "dashboard-port": _DASHBOARD,
            "dashboard-agent-listen-port": _AGENT,
            "metrics-export-port": _METRICS,
            "node-manager-port": _NODE_MANAGER,
            "object-manager-port": _OBJECTS,
            "runtime-env-agent-port": _RUNTIME_ENV,
            "dashboard-agent-grpc-port": _AGENT_GRPC,
        }
        return [
            sys.executable,
            "-m",
            "ray.scripts.scripts",
            "start",
            "--head",
            "--block",
            "--no-monitor",
            "--disable-usage-stats",
            "--node-ip-address=127.0.0.1",
            "--dashboard-host=127.0.0.1",
            "--include-dashboard=true",
            # 0: the operating system chooses, so that two instances on a machine never clash.
            "--min-worker-port=0",
            "--max-worker-port=0",
            *(f"--{name}={self._port(place)}" for name, place in ports.items()),
            f"--num-cpus={self._size.cpus}",
            f"--num-gpus={self._size.gpus}",
            f"--memory={self._size.memory_bytes}",
            f"--object-store-memory={self._size.object_store_bytes}",
            f"--temp-dir={self._temp_dir()}",
        ]

    def start(self) -> None:
        """Adopts or ends what an earlier `up` left, then starts Ray unless it was adopted. Blocks
        only for ending; `wait_until_ready` waits for the rest.
        """
        left = self._load_record()
        if left is not None and self._try_adopt(left):
            return
        if left is not None:
            self._end(left, grace_seconds=_DRAIN_SECONDS)
        # What earlier sessions logged is of no more use; a session's files can be hundreds of MB.
        shutil.rmtree(self._directory / "session", ignore_errors=True)
        self._ports = take_block()
        self._launch()

    def start_over(self) -> None:
        """Ends what an earlier owner left, and starts nothing. Blocks. Idempotent."""
        left = self._load_record()
        if left is not None:
            self._end(left, grace_seconds=_DRAIN_SECONDS)

    def restart(self) -> None:
        """Starts Ray again at the same addresses after it ended by itself. Blocks for ending what
        is left of it.
        """
        if self._record is not None:
            self._end(self._record, grace_seconds=2.0)
        if self._process is not None:
            self._process.wait()
        self.is_adopted = False
        self._launch()

    def _launch(self) -> None:
        """Starts the program on the ports that are held, and records it."""
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                start_new_session=True,
                cwd=self._directory,
            )
        identity = ProcessIdentity.of(self._process.pid)
        if identity is None:
            raise Unavailable(f"Ray ended at once; see {self.log_path}")
        self._record = RunRecord(
            version=_VERSION,
            pid=identity.pid,
            start_ticks=identity.start_ticks,
            first_port=self._port(0),
            python=sys.executable,
            link=self._link,
            **asdict(self._size),
        )
        temporary = self._run_path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self._record)))
        temporary.replace(self._run_path)

    def _load_record(self) -> RunRecord | None:
        try:
            body = json.loads(self._run_path.read_text())
            return RunRecord(**body) if body.get("version") == _VERSION else None
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _try_adopt(self, left: RunRecord) -> bool:
        """True when the Ray that was left is alive, of the same size and ours to use."""
        recorded_size = RaySize(left.cpus, left.memory_bytes, left.object_store_bytes, left.gpus)
        if not left.head.is_alive or recorded_size != self._size or left.python != sys.executable:
            return False
        ports = retake_block(left.first_port)
        if ports is None:
            return False
        self._ports, self._record, self.is_adopted = ports, left, True
        self._link = left.link
        try:
            asyncio.run(self._ask_version())
        except Unavailable:
            ports.release()
            self._ports, self._record, self.is_adopted = None, None, False
            return False
        return True

    async def _ask_version(self) -> None:
        client = RayRest(self.dashboard_address, self.token)
        try:
            await client.nodes()
        finally:
            await client.close()

    async def wait_until_ready(self) -> None:
        """Returns when Ray answers with a living node. Raises: Unavailable with the reason."""
        client = RayRest(self.dashboard_address, self.token)
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        try:
            while True:
                if not self.is_alive:
                    raise Unavailable(f"Ray ended while starting; see {self.log_path}")
                with contextlib.suppress(Unavailable):
                    if await client.nodes():
                        return
                if time.monotonic() > deadline:
                    raise Unavailable(f"Ray did not answer in time; see {self.log_path}")
                await asyncio.sleep(0.2)
        finally:
            await client.close()

    @property
    def is_alive(self) -> bool:
        """The head process runs."""
        if self._process is not None and self._process.poll() is not None:
            return False
        return self._record is not None and self._record.head.is_alive

    def stop(self) -> None:
        """Ends Ray and everything it started, and forgets it. Idempotent; blocks."""
        if self._record is not None:
            self._end(self._record, grace_seconds=_DRAIN_SECONDS)
            self._record = None
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._ports is not None:
            self._ports.release()
            self._ports = None

    def _end(self, record: RunRecord, grace_seconds: float) -> None:
        """Ends the head gracefully, then every process of its session and every descendant."""
        below = descendants(record.head) if record.head.is_alive else []
        record.head.send(signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        while record.head.is_alive and time.monotonic() < deadline:
            if self._process is not None:
                self._process.poll()
            time.sleep(0.05)
        rest = {*session_members(record.pid, record.start_ticks), *below}
        end_all([member for member in rest if member.is_alive], grace_seconds=2.0)
        if record.link:
            self._link = ""
            shutil.rmtree(Path(record.link).parent, ignore_errors=True)
        self._run_path.unlink(missing_ok=True)
