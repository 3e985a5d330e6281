"""The SDK: submitting, reading and steering, all pages followed, frames in the right order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import headgate
from controller.domain.records import Search, SearchSpec
from controller.domain.states import DeploymentState, TrialState
from controller.in_process import InProcessController
from headgate import client as client_module
from headgate import search as search_module
from headgate.errors import InputError, ServerError, Unreachable
from headgate.v1 import search_pb2, trial_pb2
from tests.client.conftest import MIB, PARENT, Writer

Submit = Callable[..., headgate.Search]
STATE = trial_pb2.Trial.State

EVERY_OPTION: dict[str, Any] = {
    "time_seconds": 90.5,
    "trials": 7,
    "metric": "f1",
    "task": "binary",
    "families": ["knn", "linear"],
    "positive_class": "no",
    "exclude": ["income"],
    "weight_column": "weight",
    "group_column": "group",
    "time_column": "month",
    "space": search_pb2.SearchSpace(pinned=[search_pb2.PinnedConfiguration(family="knn")]),
    "memory_per_trial_bytes": 300 * MIB,
    "cpus_per_trial": 2,
    "gpus_per_trial": 0.5,
    "time_per_trial_seconds": 1.5,
    "max_concurrent_trials": 3,
    "max_model_bytes": 5 * MIB,
    "max_predict_latency_seconds": 0.25,
    "shrink": "any",
    "seed": 11,
    "deploy": "live",
}


def test_every_option_is_sent() -> None:
    spec = headgate.SearchOptions(**EVERY_OPTION).to_proto("namespaces/n/datasets/d", "churned")
    expected = search_pb2.SearchSpec(
        dataset="namespaces/n/datasets/d",
        target_column="churned",
        task=search_pb2.TASK_BINARY,
        positive_class="no",
        excluded_columns=["income"],
        weight_column="weight",
        group_column="group",
        time_column="month",
        metric="f1",
        families=["knn", "linear"],
        space=EVERY_OPTION["space"],
        seed=11,
        deploy="live",
    )
    expected.budget.max_trials = 7
    expected.budget.time.FromMilliseconds(90_500)
    limits = expected.limits
    limits.memory_per_trial_bytes, limits.cpus_per_trial = 300 * MIB, 2
    limits.gpus_per_trial, limits.max_concurrent_trials = 0.5, 3
    limits.max_model_bytes, limits.shrink = 5 * MIB, search_pb2.SHRINK_POLICY_ANY
    limits.time_per_trial.FromMilliseconds(1500)
    limits.max_predict_latency.FromMilliseconds(250)
    assert spec == expected
    unset = {f.name for f in spec.DESCRIPTOR.fields} - {f.name for f, _ in spec.ListFields()}
    assert unset == set(), "a new field of the API needs an option"


def stored(controller: InProcessController, name: str) -> SearchSpec:
    with controller.store.transaction() as tx:
        search = tx.get(Search, name)
    assert search is not None
    return search.spec


def test_a_frame_is_submitted_as_it_is(
    client: headgate.Client, controller: InProcessController
) -> None:
    frame = pd.DataFrame(
        {
            "size": [1.5, None, 3.0] * 10,
            "when": pd.to_datetime(["2024-01-02", "2024-01-03", None] * 10),
            "label": ["yes", "no", "no"] * 10,
        }
    )
    search = client.submit(frame, "label", trials=3, seed=5)
    spec = stored(controller, search.name)
    assert (spec.seed, spec.budget.max_trials) == (5, 3)
    dataset = client.dataset(spec.dataset)
    kinds = [(c.name, c.missing_count) for c in dataset.profile.columns]
    assert kinds == [("size", 10), ("when", 10), ("label", 0)]
    assert dataset.source == "frame.parquet"
    assert list(search.get().classes) == ["no", "yes"]


def test_of_a_refused_search_no_table_stays(client: headgate.Client) -> None:
    with pytest.raises(ServerError) as caught:
        client.submit("sklearn:iris", "nothing", trials=3)
    assert caught.value.reason == "UNKNOWN_COLUMN"
    assert caught.value.violations[0].field == "search.spec.target_column"
    assert list(client.datasets()) == []
    with pytest.raises(InputError, match="unknown option 'trails'"):
        client.submit("sklearn:iris", "target", trails=3)


def test_all_pages_are_followed(
    submit: Submit,
    client: headgate.Client,
    write: Writer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (client_module, search_module):
        monkeypatch.setattr(module, "_PAGE_SIZE", 2)
    search = submit("s0")
    for number in range(1, 5):
        submit(f"s{number}")
        write.dataset(f"d{number}")
    for number in range(5):
        write.trial(search.name, number, TrialState.RUNNING)
        write.deployment(f"live{number}", write.model(f"m{number}").name, DeploymentState.READY)
    ids = [[each.name.rsplit("/", 1)[1] for each in found] for found in (
        client.searches(), client.datasets(), client.models(), client.deployments()
    )]  # fmt: skip
    assert ids == [
        ["s4", "s3", "s2", "s1", "s0"],
        ["d4", "d3", "d2", "d1", "people"],
        ["m4", "m3", "m2", "m1", "m0"],
        ["live4", "live3", "live2", "live1", "live0"],
    ]
    assert [trial.number for trial in search.trials()] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("metric", "order"), [("roc_auc", [2, 0, 1]), ("log_loss", [1, 0, 2])])
def test_the_leaderboard_begins_with_the_best(
    submit: Submit, write: Writer, metric: str, order: list[int]
) -> None:
    search = submit(metric=metric)
    write.trials(search.name)
    board = search.leaderboard()
    assert list(board["number"]) == order
    first = board.iloc[0]
    assert first["score"] == {"roc_auc": 0.75, "log_loss": 0.25}[metric]
    assert first["peak_memory_bytes"] == 90 * MIB
    assert first["wall_seconds"] == 2.5
    assert first["parameters"] == {"C": 0.5}


def test_all_trials_as_a_frame(submit: Submit, write: Writer) -> None:
    search = submit()
    write.trials(search.name)
    frame = search.trials_frame()
    assert list(frame["number"]) == [0, 1, 2, 3, 4, 5]
    assert list(frame["state"][3:]) == ["REJECTED", "FAILED", "RUNNING"]
    assert frame["score"].isna().tolist() == [False] * 3 + [True] * 3
    assert frame["verdict"][3] == "needs 182 MiB, more than allowed"
    assert [t.number for t in search.trials([STATE.REJECTED, STATE.FAILED])] == [3, 4]
    assert search.trial(4).failure.message == "it broke"


def test_the_best_trial(submit: Submit, write: Writer) -> None:
    search = submit()
    assert search.best() is None
    write.trials(search.name)
    write.change(Search, search.name, best_trial=f"{search.name}/trials/2", best_score=0.75)
    best = search.best()
    assert best is not None
    assert (best.number, best.score) == (2, 0.75)


def test_steering(submit: Submit, client: headgate.Client) -> None:
    search = submit()
    assert search_pb2.Search.State.Name(search.pause().state) == "PAUSED"
    assert search_pb2.Search.State.Name(search.resume().state) == "PENDING"
    changed = search.update(
        headgate.SearchOptions(trials=20, max_model_bytes=7 * MIB, families=("knn",)),
        ["spec.budget.max_trials", "spec.limits.max_model_bytes", "spec.families"],
    )
    assert changed.spec.budget.max_trials == 20
    assert changed.spec.limits.max_model_bytes == 7 * MIB
    assert list(changed.spec.families) == ["knn"]
    assert search_pb2.Search.State.Name(search.cancel().state) == "CANCELLED"
    assert search.wait().name == search.name
    search.delete()
    with pytest.raises(ServerError) as caught:
        client.search("s")
    assert caught.value.code == "NOT_FOUND"


def test_a_watch_begins_with_everything_and_ends_with_the_search(
    submit: Submit, write: Writer
) -> None:
    search = submit()
    write.trials(search.name)
    watched = search.watch()
    first = next(watched)
    assert first.search.name == search.name
    assert [trial.number for trial in first.trials] == [0, 1, 2, 3, 4, 5]
    search.cancel()
    rest = list(watched)
    assert search_pb2.Search.State.Name(rest[-1].search.state) == "CANCELLED"


def test_a_deployment_is_created_then_updated(client: headgate.Client, write: Writer) -> None:
    one, two = write.model("one"), write.model("two")
    assert client.deploy("one", "live").model == one.name
    assert client.deploy(two.name, "live").version == 2
    assert client.deployment("live").model == two.name
    client.delete_deployment("live")
    assert client.deployment(f"{PARENT}/deployments/live").state == 4  # DELETING


def test_a_bundle_is_exported(client: headgate.Client, write: Writer, tmp_path: Path) -> None:
    files = {"encoder.json": b"{}", "model/model.ubj": bytes(range(256)) * 9000}
    write.bundle(tmp_path, "m", files)
    written = client.export_model("m", tmp_path / "out")
    for name, content in files.items():
        assert (written / name).read_bytes() == content
    with pytest.raises(InputError, match="is not empty"):
        client.export_model("m", tmp_path / "out")


def test_no_server_is_one_line() -> None:
    with headgate.connect("127.0.0.1:1") as client, pytest.raises(Unreachable) as caught:
        list(client.searches())
    assert "no Headgate server answers at 127.0.0.1:1" in str(caught.value)


def test_the_namespace_of_a_client_is_where_it_looks(controller: InProcessController) -> None:
    with headgate.connect(controller.address, namespace="team") as client:
        assert client.create_dataset("sklearn:iris", dataset_id="d").name.startswith(
            "namespaces/team/"
        )
        assert len(list(client.datasets())) == 1
    with headgate.connect(controller.address) as client:
        assert list(client.datasets()) == []
