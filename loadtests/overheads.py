"""Measures what the platform adds: start-up, first fit, each trial, one prediction.

    python -m loadtests.overheads [--trials N]

Prints seconds and milliseconds of one run, with the machine's load. The time beside the fit is what
both slots had from the first start to the last end, less the sandboxes' wall time, by trial.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import time

import headgate
from headgate.v1 import trial_pb2
from loadtests.demo import await_ready
from loadtests.local_service import LocalService


def first_fit_seconds(trials: list[trial_pb2.Trial], created: float) -> float:
    """Seconds from the search's creation to the start of its first fit."""
    return min(t.start_time.ToDatetime().timestamp() for t in trials if t.attempts) - created


def gap_ms(trials: list[trial_pb2.Trial], slots: int) -> float:
    """Milliseconds of a slot that a trial takes beside its fit, the mean of all trials."""
    ended = [t for t in trials if t.HasField("score")]
    begin = min(t.start_time.ToNanoseconds() for t in ended)
    end = max(t.end_time.ToNanoseconds() for t in ended)
    busy = sum(t.usage.wall_time.ToNanoseconds() for t in ended)
    return ((end - begin) * slots - busy) / len(ended) / 1e6


def inference_ms(url: str, body: bytes, count: int) -> list[float]:
    """Milliseconds of single requests over one kept connection."""
    address, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(address)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        connection.request("POST", f"/{path}", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        taken.append((time.perf_counter() - began) * 1e3)
        if response.status != 200:
            raise RuntimeError(f"HTTP {response.status}")
    connection.close()
    return taken[count // 10 :]


def main() -> None:
    """Runs one service, one search of cheap trials, one deployment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--requests", type=int, default=500)
    arguments = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.2f}")
    began = time.monotonic()
    with LocalService("--cpus=2", "--memory=1536MiB") as service:
        print(f"headgate up until ready        {time.monotonic() - began:8.2f} s")
        with headgate.connect(service.grpc) as client:
            search = client.submit(
                "sklearn:iris", "target", name="cheap", trials=arguments.trials,
                families=["knn", "linear"], time_seconds=300, deploy="cheap",
            )  # fmt: skip
            final = search.wait()
            trials = search.trials()
            created = final.create_time.ToNanoseconds() / 1e9
            print(f"CreateSearch to first fit      {first_fit_seconds(trials, created):8.2f} s")
            print(f"beside the fit, a trial (mean) {gap_ms(trials, 2):8.0f} ms")
            whole = (final.end_time.ToNanoseconds() - final.create_time.ToNanoseconds()) / 1e9
            print(f"{arguments.trials} trials, whole search        {whole:8.2f} s")
            url = await_ready(client, "cheap")
            model = client.model("cheap")
        inputs = [
            {"name": c.name, "datatype": c.datatype, "shape": [1], "data": [1.0]}
            for c in model.inputs
        ]
        taken = inference_ms(url, json.dumps({"inputs": inputs}).encode(), arguments.requests)
        cuts = statistics.quantiles(taken, n=100)
        print(f"one row over HTTP, p50 / p99   {cuts[49]:8.2f} / {cuts[98]:.2f} ms")
    print(f"load average after: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
