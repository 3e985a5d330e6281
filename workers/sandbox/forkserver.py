"""The near end of a forkserver: starts it, asks it for children, hears of their ends."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from workers.sandbox.messages import Exited, NotReady, Ready

START_SECONDS = 120.0
"""Importing scikit-learn and xgboost takes 1.4-5 s on an idle machine."""

END_SECONDS = 10.0

SECRET_PREFIXES = ("HEADGATE_", "RAY_AUTH_")
"""Variables that children never see: tokens of searches and of the cluster."""

ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",  # spinning costs 2-4 x processor time on a shared node
    "OMP_NUM_THREADS": "1",  # no pool before the fork; children set their own number after it
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's thread would not survive a fork
    "PYTHONUNBUFFERED": "1",  # what a child printed before it died is kept
    "PYTHONFAULTHANDLER": "1",  # a segmentation fault leaves a traceback
}


class SandboxUnusable(RuntimeError):
    """Children cannot be run here at all; the message says why and what to change."""


class ForkServerLost(RuntimeError):
    """The forkserver died, and with it all its children."""


class ForkServer:
    """A running forkserver. Thread-safe.

    preload: modules it imports once. Blocks until they are loaded. Raises: SandboxUnusable.
    """

    def __init__(self, preload: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._pending: dict[int, Future[Exited]] = {}
        self._count = 0
        self._is_lost = False
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lifeline_read, self._lifeline = os.pipe()
        self._control = ours
        with theirs:
            try:
                self._process = _spawn(theirs.fileno(), lifeline_read, preload)
            finally:
                os.close(lifeline_read)
        try:
            self.ready = self._await_ready(preload)
        except BaseException:
            self._end_process()
            raise
        self._listener = threading.Thread(target=self._listen, name="forkserver", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Of the forkserver's process."""
        return self._process.pid

    @property
    def is_lost(self) -> bool:
        """Whether it died."""
        return self._is_lost

    def fork(self, connection: socket.socket, output: int) -> Future[Exited]:
        """Ask for a child that talks over `connection` and writes to `output`. Does not wait.

        The caller closes its copy of both. The future gives how the child ended, or raises
        ForkServerLost. Raises: ForkServerLost at once when it is known.
        """
        future: Future[Exited] = Future()
        with self._lock:
            if self._is_lost:
                raise ForkServerLost("the forkserver died")
            self._count += 1
            self._pending[self._count] = future
            try:
                socket.send_fds(
                    self._control, [str(self._count).encode()], [connection.fileno(), output]
                )
            except OSError as error:
                del self._pending[self._count]
                raise ForkServerLost("the forkserver died") from error
        return future

    def close(self) -> None:
        """End the forkserver and every child. Blocks until they are gone. Idempotent."""
        with contextlib.suppress(OSError):  # it died before, or this is the second call
            self._control.shutdown(socket.SHUT_RDWR)
        self._end_process()
        self._listener.join()

    def _await_ready(self, preload: Sequence[str]) -> Ready:
        self._control.settimeout(START_SECONDS)
        try:
            answer = pickle.loads(self._control.recv(1 << 16) or b"N.")  # noqa: S301 - our child
        except TimeoutError as error:
            raise SandboxUnusable(
                f"the sandbox's modules {', '.join(preload)} did not load in {START_SECONDS:g} s: "
                "is the node out of memory or processors?"
            ) from error
        self._control.settimeout(None)
        if isinstance(answer, Ready):
            return answer
        reason = answer.reason if isinstance(answer, NotReady) else "it died, see the worker's log"
        raise SandboxUnusable(
            f"the sandbox's forkserver did not start: {reason}. "
            "Install the same headgate-server on every Ray node."
        )

    def _listen(self) -> None:
        while True:
            try:
                data = self._control.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                break
            ended: Exited = pickle.loads(data)  # noqa: S301 - our own child wrote it
            with self._lock:
                future = self._pending.pop(ended.job)
            future.set_result(ended)
        with self._lock:
            self._is_lost = True
            pending, self._pending = list(self._pending.values()), {}
        for future in pending:
            future.set_exception(ForkServerLost("the forkserver died while the job ran"))

    def _end_process(self) -> None:
        with self._lock:
            lifeline, self._lifeline = self._lifeline, -1
        if lifeline >= 0:
            os.close(lifeline)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._control.close()


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a forkserver and its children see: the host's variables less secrets, plus ours."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith(SECRET_PREFIXES) and not name.startswith("OMP_")
    }
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return kept | ENVIRONMENT | {"PYTHONPATH": path}


def _spawn(control: int, lifeline: int, preload: Sequence[str]) -> subprocess.Popen[bytes]:
    module = "workers.sandbox.forkserver_main"
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, str(control), str(lifeline), *preload],
        env=child_environment(os.environ),
        stdin=subprocess.DEVNULL,
        pass_fds=(control, lifeline),
        start_new_session=True,
    )
