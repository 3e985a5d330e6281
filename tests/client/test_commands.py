"""Every command against a controller: what people read, what programs read, how it exits."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import headgate
from controller.domain.records import Failure, Search
from controller.domain.states import DeploymentState, SearchState
from controller.in_process import InProcessController
from headgate.cli.main import main
from headgate.cli.output import as_json
from headgate.inference import Predictions
from tests.client.conftest import MIB, PARENT, CommandLine, Writer

Submit = Callable[..., headgate.Search]


@pytest.fixture
def search(submit: Submit, write: Writer) -> headgate.Search:
    """Search `s` with six trials."""
    made = submit()
    write.trials(made.name)
    return made


def columns(text: str, *names: str) -> list[tuple[str, ...]]:
    """Cells of a table for people; no cell of these columns has a space."""
    header, *rows = [line.split() for line in text.splitlines() if line.strip() and "─" not in line]
    at = [header.index(name) for name in names]
    return [tuple(row[i] for i in at) for row in rows]


# Submitting


def test_submit_takes_every_option(
    cli: CommandLine, controller: InProcessController, tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    rows = [f"{i},{i % 7},{i % 4},{i},{'yes' if i % 3 else 'no'}" for i in range(60)]
    table.write_text("a,b,w,m,label\n" + "\n".join(rows) + "\n")
    space = tmp_path / "space.yaml"
    space.write_text("families:\n  knn:\n    n_neighbors: {integers: [3, 9]}\n")
    options = {
        "--target": "label", "--name": "all", "--task": "binary", "--positive-class": "no",
        "--exclude": "b", "--weight": "w", "--order": "m", "--space": str(space), "--time": "1m30s",
        "--trials": "7", "--metric": "f1", "--family": "knn", "--cpus-per-trial": "2",
        "--memory-per-trial": "300MiB", "--time-per-trial": "2s", "--max-concurrent": "3",
        "--max-model-size": "5MiB", "--max-latency": "250ms", "--shrink": "any", "--seed": "11",
        "--deploy": "live",
    }  # fmt: skip
    words = [word for pair in options.items() for word in pair]
    spec = cli.json("submit", str(table), *words)["spec"]
    assert spec.pop("dataset").startswith(f"{PARENT}/datasets/t-")
    assert spec.pop("space")["families"]["knn"]["parameters"]["n_neighbors"]["integers"] == {
        "low": "3",
        "high": "9",
        "log": False,
    }
    assert spec == {
        "target_column": "label",
        "task": "TASK_BINARY",
        "positive_class": "no",
        "excluded_columns": ["b"],
        "weight_column": "w",
        "group_column": "",
        "time_column": "m",
        "metric": "f1",
        "families": ["knn"],
        "seed": "11",
        "budget": {"time": "90s", "max_trials": 7},
        "limits": {
            "memory_per_trial_bytes": str(300 * MIB),
            "cpus_per_trial": 2,
            "gpus_per_trial": 0.0,
            "time_per_trial": "2s",
            "max_concurrent_trials": 3,
            "max_model_bytes": str(5 * MIB),
            "max_predict_latency": "0.250s",
            "shrink": "SHRINK_POLICY_ANY",
        },
        "deploy": "live",
    }
    given = {flag for each in main.commands["submit"].params for flag in each.opts}
    elsewhere = {"source", "--output", "--watch", "--group", "--gpus-per-trial"}
    assert given == {*options, *elsewhere}, "a new option of submit needs a place here"


def test_group_and_gpus_are_options_too(cli: CommandLine, write: Writer) -> None:
    dataset = write.dataset()
    common = ("submit", dataset.name, "--target", "churned", "--trials", "3")
    assert cli.json(*common, "--group", "age")["spec"]["group_column"] == "age"
    assert "needs 0.5 gpus" in cli.error(*common, "--gpus-per-trial", "0.5")


def test_submit_says_how_to_go_on(cli: CommandLine, write: Writer) -> None:
    name = write.dataset().name
    said = cli("submit", name, "--target", "churned", "--trials", "3", "--name", "mine")
    assert said == "mine was accepted; `headgate watch` follows it\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--trials", "3"), "Missing option '--target'"),
        (("--target", "churned"), "no part of the budget is set"),
        (("--target", "churned", "--time", "soon"), "'soon' is not a duration"),
        (("--target", "churned", "--time", "1s"), "give 5 s to 30 days [BAD_BUDGET]"),
        (("--target", "churned", "--trials", "99999999999"), "trials: 99999999999 is out of range"),
        (("--target", "churned", "--trials", "3", "--seed", "9" * 23), "seed: "),
        (("--target", "churned", "--trials", "3", "--seed", "-1"), "negative"),
        (("--target", "churn", "--trials", "3"), "did you mean churned? [UNKNOWN_COLUMN]"),
        (("--target", "churned", "--trials", "3", "--metric", "auc"), "[UNKNOWN_METRIC]"),
        (("--target", "churned", "--trials", "3", "--family", "svm"), "[UNKNOWN_FAMILY]"),
        (("--target", "churned", "--trials", "3", "--memory-per-trial", "1"), "[BAD_LIMIT]"),
        (("--target", "churned", "--trials", "3", "--space", "none.yaml"), "cannot be read"),
        (("--target", "churned", "--trials", "3", "--task", "rank"), "'rank' is not one of"),
    ],
)
def test_a_wrong_submission_is_one_line(
    cli: CommandLine, write: Writer, arguments: tuple[str, ...], message: str
) -> None:
    assert message in cli.error("submit", write.dataset().name, *arguments)


def test_a_file_that_is_not_there(cli: CommandLine) -> None:
    said = cli.error("submit", "none.csv", "--target", "y", "--trials", "1")
    assert said == "none.csv does not exist; give a file, a URI or sklearn:NAME"


def test_space_prints_what_submit_reads(cli: CommandLine) -> None:
    printed = yaml.safe_load(cli("space", "--family", "knn"))
    assert set(printed["families"]) == {"knn"}
    assert set(cli.json("space")["families"]) > {"knn", "xgboost"}
    assert "did you mean xgboost?" in cli.error("space", "--family", "xgbost")


# Reading


def test_searches_and_show(cli: CommandLine, search: headgate.Search, write: Writer) -> None:
    write.change(Search, search.name, best_score=0.75, best_trial=f"{search.name}/trials/2")
    (row,) = columns(cli("searches"), "search", "state", "target", "metric", "best", "rejected")
    assert row == ("s", "PENDING", "churned", "roc_auc", "0.75", "1")
    assert cli.json("searches") == {"searches": [as_json(search.get())], "next_page_token": ""}
    shown = cli("show", "s")
    for text in (
        f"{search.name}: PENDING", "binary of 'churned'", "5-fold stratified cross-validation",
        "classes: no, yes", "rejected: 1 EXCEEDS_TRIAL_LIMIT",
        "best trial: namespaces/default/searches/s/trials/2",
    ):  # fmt: skip
        assert text in shown
    assert cli.json("show", search.name) == as_json(search.get())
    assert "nope" in cli.error("show", "nope")


def test_trials(cli: CommandLine, search: headgate.Search) -> None:
    listed = cli("trials", "s")
    assert columns(listed, "trial", "family", "state") == [
        ("0", "linear", "SUCCEEDED"),
        ("1", "linear", "SUCCEEDED"),
        ("2", "linear", "SUCCEEDED"),
        ("3", "linear", "REJECTED"),
        ("4", "linear", "FAILED"),
        ("5", "linear", "RUNNING"),
    ]
    assert "0.75" in listed
    assert "90.0 MiB" in listed
    assert "256.0 MiB" in listed
    refused = cli("trials", "s", "--state", "rejected")
    assert "needs 182 MiB, more than allowed" in refused
    assert "SUCCEEDED" not in refused
    document = cli.json("trials", "s", "--state", "failed", "--state", "RUNNING")
    assert [trial["number"] for trial in document["trials"]] == [4, 5]
    assert document["next_page_token"] == ""
    assert cli.json("trials", "s")["trials"] == [as_json(trial) for trial in search.trials()]
    assert "use one of admitted, running" in cli.error("trials", "s", "--state", "bogus")


def test_logs(cli: CommandLine, search: headgate.Search, controller: InProcessController) -> None:
    with controller.store.transaction() as tx:
        tx.put_log(search.name, "the driver's words\n")
    printed = cli("logs", "s")
    assert printed.startswith("the driver's words\n")
    assert "--- trial 4 linear: CRASHED: it broke\nTraceback: boom\nstderr:\nlast words" in printed
    document = cli.json("logs", "s")
    assert document["text"] == "the driver's words\n"
    assert [trial["number"] for trial in document["failed_trials"]] == [4]
    assert cli("logs", "s", "--trial", "4").startswith("--- trial 4 linear")
    assert cli("logs", "s", "--trial", "0") == "trial 0 has no failure to show\n"
    assert cli.json("logs", "s", "--trial", "4")["failure"]["message"] == "it broke"
    assert "trials/99" in cli.error("logs", "s", "--trial", "99")


# Steering


def test_the_verbs(cli: CommandLine, search: headgate.Search) -> None:
    assert cli("pause", "s") == "s is PAUSED\n"
    assert cli.json("resume", "s")["state"] == "PENDING"
    assert cli("update", "s", "--trials", "20") == "s is PENDING\n"
    assert "cancel it or wait" in cli.error("delete", "s")
    assert cli("cancel", "s") == "s is CANCELLED\n"
    assert "CANCELLED" in cli.error("pause", "s")
    assert cli("delete", "s") == "s was deleted\n"
    assert "s" in cli.error("show", "s")


def test_stop(cli: CommandLine, submit: Submit) -> None:
    submit("early")
    assert cli("stop", "early") == "early is FAILED\n"  # no trial has a score


def test_update_sends_what_is_named_and_nothing_else(cli: CommandLine, submit: Submit) -> None:
    submit(time_seconds=60, max_model_bytes=9 * MIB, cpus_per_trial=2)
    changed = cli.json(
        "update", "s", "--time", "2m", "--memory-per-trial", "300MiB", "--time-per-trial", "4s",
        "--max-concurrent", "2", "--max-latency", "1s", "--shrink", "none", "--family", "knn",
    )["spec"]  # fmt: skip
    assert changed["budget"] == {"time": "120s", "max_trials": 9}
    assert changed["families"] == ["knn"]
    limits = changed["limits"]
    assert (limits["max_model_bytes"], limits["cpus_per_trial"]) == (str(9 * MIB), 2)
    assert limits["memory_per_trial_bytes"] == str(300 * MIB)
    assert (limits["time_per_trial"], limits["max_predict_latency"]) == ("4s", "1s")
    assert (limits["max_concurrent_trials"], limits["shrink"]) == (2, "SHRINK_POLICY_NONE")
    assert cli.json("update", "s", "--max-model-size", "1MiB")["spec"]["limits"][
        "max_model_bytes"
    ] == str(MIB)
    assert "nothing to change" in cli.error("update", "s")
    assert "out of range" in cli.error("update", "s", "--trials", "99999999999")


def test_json_of_what_answers_nothing_is_nothing(cli: CommandLine, submit: Submit) -> None:
    submit().cancel()
    assert cli("delete", "s", "--output", "json") == ""


# Tables and models


def test_datasets(cli: CommandLine, write: Writer, client: headgate.Client) -> None:
    write.dataset()
    (row,) = columns(cli("datasets"), "dataset", "source", "rows", "columns")
    assert row == ("people", "people.csv", "100", "3")
    assert cli.json("datasets")["datasets"] == [as_json(client.dataset("people"))]
    assert cli("delete-dataset", "people") == "people was deleted\n"
    assert cli.json("datasets") == {"datasets": [], "next_page_token": ""}
    assert "people" in cli.error("delete-dataset", "people")


def test_models_and_export(
    cli: CommandLine, search: headgate.Search, write: Writer, tmp_path: Path
) -> None:
    assert "is PENDING and has no model" in cli.error("export", "s", "--to", str(tmp_path / "x"))
    write.bundle(tmp_path, "s", {"encoder.json": b"{}"})
    (row,) = columns(cli("models"), "model", "family", "target", "metric", "score")
    assert row == ("s", "linear", "churned", "roc_auc", "0.75")
    (model,) = cli.json("models")["models"]
    assert model["inputs"][0] == {
        "name": "age",
        "kind": "COLUMN_KIND_NUMBER",
        "datatype": "FP64",
    }
    target = tmp_path / "deep" / "bundle"
    assert cli("export", "s", "--to", str(target)) == f"wrote {target}\n"
    assert (target / "encoder.json").read_bytes() == b"{}"
    assert "is not empty" in cli.error("export", "s", "--to", str(target))
    (tmp_path / "file").write_text("")
    assert "cannot be written" in cli.error("export", "s", "--to", str(tmp_path / "file" / "x"))


# Deployments


def test_deployments(cli: CommandLine, write: Writer, client: headgate.Client) -> None:
    model = write.model("m")
    said = cli("deploy", "m", "--name", "live", "--wait", "0")
    assert said == "live version 1 is PENDING\n"
    write.deployment("broken", model.name, DeploymentState.FAILED)
    rows = columns(cli("deployments"), "deployment", "state", "version", "model")
    assert rows == [("broken", "FAILED", "1", "m"), ("live", "PENDING", "1", "m")]
    assert "its bundle is spoilt" in cli("deployments")
    document = cli.json("deployments")["deployments"]
    assert document[1] == as_json(client.deployment("live"))
    assert document[0]["error"]["message"] == "its bundle is spoilt"
    write.deployment("live", model.name, DeploymentState.READY)
    ready = cli("deploy", "m", "--name", "live")
    assert ready.splitlines()[1].strip() == "http://127.0.0.1:8000/v2/models/live/infer"
    assert cli("undeploy", "live") == "live is being taken down\n"
    assert "nope" in cli.error("undeploy", "nope")
    assert "nope" in cli.error("deploy", "nope", "--name", "live")


def test_a_deployment_that_fails_exits_with_1(
    cli: CommandLine, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write.model("m")

    def refuse(*_: Any) -> Any:
        write.deployment("live", model.name, DeploymentState.FAILED)
        return client_of(cli).deployment("live")

    monkeypatch.setattr(headgate.Client, "deploy", refuse)
    assert "FAILED: its bundle is spoilt" in cli("deploy", "m", "--name", "live", code=1)


def client_of(cli: CommandLine) -> headgate.Client:
    return headgate.connect(cli.address)


def test_predict_writes_what_was_answered(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Writer
) -> None:
    write.deployment("live", write.model("m").name, DeploymentState.READY)
    asked: list[Any] = []

    def predict(_: Any, name: str, given: Any, timeout_seconds: float) -> Predictions:
        asked.append((name, given))
        return Predictions(["no", "yes"], {"no": [0.75, 0.25], "yes": [0.25, 0.75]})

    monkeypatch.setattr(headgate.Client, "predict", predict)
    table, out = tmp_path / "t.csv", tmp_path / "p.csv"
    table.write_text("age;plan\n1;x\n;y\n")
    said = cli("predict", "live", "--input", str(table), "--to", str(out))
    assert said == f"wrote 2 predictions to {out}\n"
    assert asked == [("live", {"age": ["1", None], "plan": ["x", "y"]})]
    with out.open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"prediction": "no", "proba_no": "0.75", "proba_yes": "0.25"},
            {"prediction": "yes", "proba_no": "0.25", "proba_yes": "0.75"},
        ]
    assert cli("predict", "live", "--input", str(table), "--to", str(out), "--output", "json") == ""
    missing = str(tmp_path / "none.csv")
    assert "cannot be read" in cli.error("predict", "live", "--input", missing, "--to", str(out))


# Following


def test_watch_off_a_terminal_prints_a_line_for_each_thing(
    cli: CommandLine, search: headgate.Search, write: Writer
) -> None:
    error = Failure("NO_MODEL", "nothing was found")
    write.change(Search, search.name, state=SearchState.FAILED, ended_at=1.7e9, error=error)
    done = cli.run("watch", "s")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[:5] == [
        "trial 0 linear SUCCEEDED: score 0.5, 2.5s, 90.0 MiB used of 100.0 MiB predicted",
        "trial 1 linear SUCCEEDED: score 0.25, 2.5s, 90.0 MiB used of 100.0 MiB predicted",
        "trial 2 linear SUCCEEDED: score 0.75, 2.5s, 90.0 MiB used of 100.0 MiB predicted",
        "trial 3 linear REJECTED: EXCEEDS_TRIAL_LIMIT: needs 182 MiB, more than allowed",
        "trial 4 linear FAILED: CRASHED: it broke",
    ]
    assert lines[5].startswith("s FAILED")
    assert done.stderr == "failed: nothing was found\n"


def test_json_of_watch_is_the_final_search(
    cli: CommandLine, search: headgate.Search, write: Writer
) -> None:
    write.succeed(search.name)
    for command in ("watch", "wait"):
        assert cli.json(command, "s") == as_json(search.get())


# The program


def test_the_server_may_be_named_by_the_environment(
    controller: InProcessController, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADGATE_SERVER", controller.address)
    result = CliRunner().invoke(main, ["searches", "--output", "json"])
    assert json.loads(result.stdout) == {"searches": [], "next_page_token": ""}
    nobody = CliRunner().invoke(main, ["--server", "127.0.0.1:1", "searches"])
    assert nobody.exit_code == 2
    assert "no Headgate server answers at 127.0.0.1:1" in nobody.stderr


def test_the_namespace_stands_before_the_command(cli: CommandLine, write: Writer) -> None:
    write.dataset()
    assert cli.json("--namespace", "team", "datasets")["datasets"] == []
    assert len(cli.json("--output", "json", "datasets")["datasets"]) == 1


def test_every_command_is_tried_here() -> None:
    """A new command needs tests: it shows up here first."""
    tried = {
        "submit", "space", "plan", "searches", "show", "watch", "wait", "trials", "logs", "pause",
        "resume", "stop", "cancel", "update", "delete", "datasets", "delete-dataset", "models",
        "export", "deploy", "deployments", "undeploy", "predict",
    }  # fmt: skip
    assert set(main.commands) == tried
