"""What a freshly forked child does: confine itself, run one job, tell the result, exit.

It never returns into the forkserver's code and never runs exit handlers.
"""

from __future__ import annotations

import importlib
import os
import pickle
import socket
import sys
import traceback
from types import TracebackType
from typing import Any, NoReturn

from workers.sandbox import confine, procfs
from workers.sandbox.messages import (
    MAX_RESULT_BYTES,
    Hello,
    Raised,
    Request,
    Returned,
    receive,
    send,
)
from workers.trial.job import SandboxLimits

MAX_TRACEBACK_CHARACTERS = 16_000

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
"""Read by libraries that load after the fork; those loaded before are told by threadpoolctl."""


def serve(
    connection: socket.socket, output: int, lifeline: int, parent: int, threadpools: Any
) -> NoReturn:
    """Be one child until the end of the process. threadpools: a `ThreadpoolController` or None."""
    code = 1
    try:
        _confine(output, lifeline, parent)
        idle_data_bytes = procfs.own_data_bytes()
        send(connection, Hello(os.getpid(), procfs.own_memory().anonymous_bytes))
        request: Request = receive(connection)
        _take_threads(request.limits, threadpools)
        os.environ["CUDA_VISIBLE_DEVICES"] = request.limits.gpu
        confine.limit(request.limits, idle_data_bytes)
        answer = _run(request)
        send(connection, answer)
        code = answer.exit_code if isinstance(answer, Raised) else 0
        sys.stdout.flush()
        sys.stderr.flush()
    except (EOFError, OSError):
        code = 1  # the agent is gone or has given the job up: nobody to tell
    finally:
        os._exit(code)


def _confine(output: int, lifeline: int, parent: int) -> None:
    os.setsid()
    confine.end_with(lifeline, group=True)
    confine.end_with_parent(parent)
    confine.prefer_for_oom(1000)
    confine.redirect(output)
    os.close(output)
    os.close(lifeline)


def _take_threads(limits: SandboxLimits, threadpools: Any) -> None:
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(limits.cpus)
    if threadpools is not None:
        threadpools.limit(limits=limits.cpus)


def _run(request: Request) -> Returned | Raised:
    try:
        module, _, function = request.target.partition(":")
        value = getattr(importlib.import_module(module), function)(request.argument)
        payload = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        if len(payload) > MAX_RESULT_BYTES:
            raise OverflowError(  # noqa: TRY301 - told like any other failure of the job
                f"the result is {len(payload)} bytes, at most {MAX_RESULT_BYTES} are passed on"
            )
    except BaseException as error:  # noqa: BLE001 - whatever a job raises is its outcome
        confine.lift()
        return _raised(error)
    return Returned(payload, procfs.own_memory().file_bytes)


def _raised(error: BaseException) -> Raised:
    own = error.__traceback__
    frames = own.tb_next if own is not None else None  # without `_run`
    text = "".join(traceback.format_exception(type(error), error, frames))
    return Raised(
        bases=tuple(f"{base.__module__}.{base.__qualname__}" for base in type(error).__mro__),
        module=_innermost_module(frames),
        message=str(error) or type(error).__name__,
        traceback=text[-MAX_TRACEBACK_CHARACTERS:],
        exit_code=_exit_code(error),
        file_bytes=procfs.own_memory().file_bytes,
    )


def _innermost_module(frames: TracebackType | None) -> str:
    name = ""
    while frames is not None:
        name = str(frames.tb_frame.f_globals.get("__name__", ""))
        frames = frames.tb_next
    return name


def _exit_code(error: BaseException) -> int:
    if not isinstance(error, SystemExit):
        return 1
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1
