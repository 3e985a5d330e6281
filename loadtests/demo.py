"""The whole path on real data, as a user sees it; `make demo` runs it.

Starts `headgate up` on free ports, searches two tables at once over gRPC, shows what the gate
refused and why, the leaderboards and the winners, has both served, predicts with the command line
and by plain HTTP, prints the metrics that tell the story, and takes everything down. Every step is
checked; the first that did not really happen ends the demo with exit code 1.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import headgate
from headgate.units import format_bytes
from headgate.v1 import search_pb2, trial_pb2
from loadtests.local_service import LocalService
from loadtests.messy_table import FLIPPED, HEADER, write_messy_table

TrialState = trial_pb2.Trial.State
_MIB = 1 << 20

# Forests this large cannot fit into the memory that one trial of the messy search is given.
_GREEDY_SPACE = """
families:
  extra_trees:
    n_estimators: {integers: [3000, 6000]}
    min_samples_leaf: {fixed: 1}
    max_depth: {fixed: null}
"""


class DemoError(Exception):
    """A step did not really happen."""


def check(holds: object, what: str) -> None:
    """Raises DemoError unless `holds`."""
    if not holds:
        raise DemoError(what)


def say(title: str) -> None:
    """Prints a headline."""
    print(f"\n=== {title}", flush=True)


def cli(service: LocalService, *arguments: str) -> str:
    """Runs the command line against the service; returns what it printed. Raises: DemoError."""
    program = str(Path(sys.executable).parent / "headgate")
    print("$ headgate", *arguments, flush=True)
    done = subprocess.run(
        [program, "--server", service.grpc, *arguments], capture_output=True, text=True, check=False
    )
    check(done.returncode == 0, f"headgate {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def submit(service: LocalService, *arguments: str) -> str:
    """Submits by the command line; returns the search's resource name."""
    created = json.loads(cli(service, "submit", *arguments, "--output", "json"))
    return str(created["name"])


def follow(client: headgate.Client, names: Sequence[str]) -> list[search_pb2.Search]:
    """Waits for searches, printing what goes on; returns them in their final states."""
    finals = []
    for name in names:
        final = client.search(name).wait()
        state = search_pb2.Search.State.Name(final.state)
        check(state == "SUCCEEDED", f"{name} is {state}: {final.error.message}")
        finals.append(final)
    return finals


def show_trials(client: headgate.Client, search: search_pb2.Search) -> list[trial_pb2.Trial]:
    """Prints leaderboard and rejections; returns all trials."""
    trials = client.search(search.name).trials()
    scored = [t for t in trials if t.state == TrialState.SUCCEEDED]
    scored.sort(key=lambda t: t.score, reverse=search.is_metric_maximized)
    print(f"{len(trials)} candidates, {len(scored)} scored; best by {search.metric}:")
    for trial in scored[:5]:
        usage = trial.usage
        print(
            f"  #{trial.number:<3} {trial.family:<24} {trial.score:.4f}  "
            f"{format_bytes(usage.peak_memory_bytes):>10} used of "
            f"{format_bytes(trial.verdict.reservation.memory_bytes)} reserved, "
            f"{format_bytes(trial.verdict.prediction.peak_memory_bytes)} predicted"
        )
    rejected = [t for t in trials if t.state == TrialState.REJECTED]
    for trial in rejected[:3]:
        reason = trial_pb2.Verdict.Reason.Name(trial.verdict.reason)
        print(f"  refused #{trial.number} {trial.family}: {reason}: {trial.verdict.message}")
    if len(rejected) > 3:
        print(f"  … and {len(rejected) - 3} more")
    check(scored, "no trial has a score")
    check(all(t.usage.peak_memory_bytes > 0 for t in scored), "a peak was not measured")
    reserved = all(
        t.usage.peak_memory_bytes <= t.verdict.reservation.memory_bytes * 1.05 + 32 * _MIB
        for t in scored
    )
    check(reserved, "a trial used more than its hard limit")
    return trials


def await_ready(client: headgate.Client, name: str) -> str:
    """Waits for a deployment; returns its inference URL. Raises: DemoError."""
    deadline = time.monotonic() + 180
    while True:
        found = client.deployment(name)
        state = type(found).State.Name(found.state)
        if state == "READY":
            return f"{found.inference_http}/v2/models/{found.inference_name}/infer"
        check(state != "FAILED", f"deployment {name} failed: {found.error.message}")
        check(time.monotonic() < deadline, f"deployment {name} is still {state}")
        time.sleep(0.3)


def predict(service: LocalService, deployment: str, table: Path, target: str) -> float:
    """Predicts a file by the command line; returns the accuracy against its target column."""
    out = table.with_suffix(".predicted.csv")
    print(cli(service, "predict", deployment, "--input", str(table), "--to", str(out)), end="")
    with table.open(newline="") as file, out.open(newline="") as answers:
        truths = [row[target] for row in csv.DictReader(file)]
        labels = [row["prediction"] for row in csv.DictReader(answers)]
    check(len(truths) == len(labels), "there is not one prediction a row")
    hits = sum(truth == label for truth, label in zip(truths, labels, strict=True))
    return float(hits / len(truths))


def infer_by_http(url: str) -> None:
    """One row by plain HTTP in the Open Inference Protocol."""
    row: dict[str, tuple[str, object]] = {
        "signed_up": ("BYTES", "2023-12-01"),
        "plan": ("BYTES", "basic"),
        "age": ("FP64", 25),
        "monthly_spend": ("FP64", None),
        "is_company": ("BOOL", False),
        "city": ("BYTES", "city-never-seen"),
        "remark": ("BYTES", None),
    }
    inputs = [
        {"name": name, "shape": [1], "datatype": datatype, "data": [value]}
        for name, (datatype, value) in row.items()
    ]
    request = urllib.request.Request(
        url, json.dumps({"inputs": inputs}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = json.load(response)
    print(f"POST {url}\n  -> {json.dumps(answer['outputs'])}")
    labels = next(o["data"] for o in answer["outputs"] if o["name"] == "prediction")
    check(labels == ["yes"], f"a young basic customer in December should churn, not {labels}")


STORY = (
    "headgate_admission_decisions_total{",
    "headgate_trials_ended_total{",
    "headgate_searches_ended_total{",
    "headgate_deployments{",
    "headgate_trial_memory_ratio_count{",
)
"""How the lines of /metrics begin that tell what the demo did."""


def story_lines(lines: Sequence[str]) -> list[str]:
    """The lines of the story that are not zero. Raises: DemoError when a part of it is missing."""
    found: list[str] = []
    for prefix in STORY:
        part = [line for line in lines if line.startswith(prefix) and not line.endswith(" 0.0")]
        check(part, f"/metrics has no line that begins with {prefix} and is not zero")
        found += part
    return found


def show_metrics(service: LocalService) -> None:
    """Scrapes the controller and prints the lines that tell the story."""
    url = f"http://{service.addresses['http']}/metrics"
    with urllib.request.urlopen(url, timeout=30) as response:
        lines = response.read().decode().splitlines()
    print(f"GET {url}")
    found = story_lines(lines)
    for line in found:
        print(f"  {line}")
    check(any('verdict="REJECTED"' in line for line in found), "no rejection was counted")
    check(any('state="SUCCEEDED"' in line for line in found), "no success was counted")


def run() -> None:
    """The demo. Raises: DemoError, headgate.HeadgateError, RuntimeError."""
    began = time.monotonic()
    say("headgate up: the controller with a Ray of its own, 2 cores and 1.5 GiB for trials")
    options = ("--cpus=2", "--memory=1536MiB")
    with tempfile.TemporaryDirectory() as scratch, LocalService(*options) as service:
        for name, address in service.addresses.items():
            print(f"  {name:<15} {address}")
        print(f"  ready after {time.monotonic() - began:.1f} s")
        messy, space = Path(scratch) / "customers.csv", Path(scratch) / "space.yaml"
        write_messy_table(messy, rows=6000)
        space.write_text(_GREEDY_SPACE)

        say("two searches at once, over gRPC")
        tumours = submit(
            service, "sklearn:breast_cancer", "--target=target", "--name=tumours", "--trials=12",
            "--time=60s", "--seed=1", "--deploy=tumours",
        )  # fmt: skip
        customers = submit(
            service, str(messy), "--target=churned", "--name=customers", "--positive-class=yes",
            "--time=60s", "--trials=20", "--memory-per-trial=400MiB", f"--space={space}",
            "--seed=1", "--deploy=customers",
        )  # fmt: skip
        with headgate.connect(service.grpc) as client:
            finals = follow(client, [tumours, customers])
            for final in finals:
                say(f"{final.name}: {final.validation}")
                for note in final.notes:
                    print(f"  note: {note}")
                trials = show_trials(client, final)
                print(f"  winner: {final.best_trial}, {final.metric} {final.best_score:.4f}")
            check(finals[0].best_score > 0.97, "breast_cancer can be had with an AUC above 0.97")
            check(finals[1].best_score > 0.85, "the messy table can be had with an AUC above 0.85")
            refused = Counter(t.family for t in trials if t.state == TrialState.REJECTED)
            check(refused["extra_trees"], "the forests that cannot fit were not refused")

            say("the winners are served")
            await_ready(client, "tumours")
            url = await_ready(client, "customers")
            print(cli(service, "deployments"), end="")
        accuracy = predict(service, "customers", messy, HEADER[-1])
        print(f"  accuracy on the table: {accuracy:.3f} (at most about {1 - FLIPPED})")
        check(accuracy > 0.8, f"an accuracy of {accuracy:.3f} is too low to be a real model's")
        infer_by_http(url)

        say("what Prometheus sees")
        show_metrics(service)
        say("Ctrl-C")
    print("everything has ended, no process is left")
    say(f"all steps happened, in {time.monotonic() - began:.0f} s")


def main() -> int:
    """Runs the demo; 0 when every step happened."""
    try:
        run()
    except (DemoError, headgate.HeadgateError, RuntimeError, OSError) as error:
        print(f"\nDEMO FAILED: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
