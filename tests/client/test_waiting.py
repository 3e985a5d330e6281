"""A user who asked for a deployment is told when it answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import headgate
from controller.domain.records import Deployment, Failure, Search
from controller.domain.states import DeploymentState, SearchState
from headgate.errors import InputError
from headgate.v1 import deployment_pb2
from tests.client.conftest import PARENT, CommandLine, Writer

LIVE = f"{PARENT}/deployments/live"
_P, _R, _F = DeploymentState.PENDING, DeploymentState.READY, DeploymentState.FAILED


class Later:
    """Changes the deployment when it has been asked for so many times: no clock decides."""

    def __init__(self, after: int, change: Callable[[], object]) -> None:
        self.asked = 0
        self._after, self._change = after, change
        self._ask = headgate.Client.deployment

    def __call__(self, client: headgate.Client, name: str) -> deployment_pb2.Deployment:
        found = self._ask(client, name)
        self.asked += 1
        if self.asked == self._after:
            self._change()
        return found


@pytest.fixture
def becomes(monkeypatch: pytest.MonkeyPatch, write: Writer) -> Callable[..., Later]:
    """`becomes(state)`: the deployment gets that state after the client has looked twice."""

    def make(state: DeploymentState, **values: object) -> Later:
        later = Later(2, lambda: write.change(Deployment, LIVE, state=state, **values))

        def deployment(client: headgate.Client, name: str) -> deployment_pb2.Deployment:
            return later(client, name)

        monkeypatch.setattr(headgate.Client, "deployment", deployment)
        return later

    return make


@pytest.fixture
def served(submit: Callable[..., headgate.Search], write: Writer) -> headgate.Search:
    """A search that has succeeded and whose deployment is PENDING."""
    search = submit(deploy="live")
    model = write.succeed(search.name, LIVE)
    write.deployment("live", model.name, _P)
    return search


@pytest.mark.parametrize("command", ["wait", "watch"])
def test_a_deployment_that_was_asked_for_is_waited_for(
    served: headgate.Search, cli: CommandLine, becomes: Callable[..., Later], command: str
) -> None:
    later = becomes(_R)
    done = cli.run(command, "s")
    assert done.exit_code == 0
    assert later.asked > 2
    assert "live is PENDING; waiting for it, at most 5m" in done.stderr
    assert done.stdout.splitlines()[-2:] == [
        f"succeeded: roc_auc 0.75, model {PARENT}/models/s",
        "deployment live version 1 is READY",
    ]


def test_json_stays_one_document(
    served: headgate.Search, cli: CommandLine, becomes: Callable[..., Later]
) -> None:
    later = becomes(_R)
    assert cli.json("wait", "s")["deployment"] == LIVE
    assert later.asked > 2


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_deployment_that_failed_is_no_success(
    served: headgate.Search, cli: CommandLine, becomes: Callable[..., Later], output: str
) -> None:
    becomes(_F, error=Failure("MODEL_LOAD_FAILED", "its bundle is spoilt"))
    done = cli.run("wait", "s", "--output", output)
    assert done.exit_code == 1
    assert "deployment live version 1 is FAILED: its bundle is spoilt" in done.stderr


def test_another_model_or_none_under_the_name_is_not_waited_for(
    served: headgate.Search, cli: CommandLine, write: Writer
) -> None:
    write.change(Deployment, LIVE, model=write.model("other").name)
    assert "deployment" not in cli("wait", "s")
    with write._store.transaction() as tx:
        tx.delete(Deployment, LIVE)
    assert "succeeded" in cli("wait", "s")


def test_submit_watches_until_the_deployment_answers(
    cli: CommandLine, write: Writer, client: headgate.Client, becomes: Callable[..., Later]
) -> None:
    dataset = write.dataset()
    becomes(_R)
    finished = threading.Event()

    def drive() -> None:
        name = f"{PARENT}/searches/fast"
        while not any(each.name == name for each in client.searches()):
            finished.wait(0.02)
        model = write.model("fast")
        write.deployment("live", model.name, _P)
        write.succeed(name, LIVE)

    driver = threading.Thread(target=drive)
    driver.start()
    printed = cli(
        "submit", dataset.name, "--target", "churned", "--name", "fast", "--trials", "3",
        "--watch", "--deploy", "live",
    )  # fmt: skip
    driver.join()
    assert printed.splitlines()[-1] == "deployment live version 1 is READY"
    assert client.search("fast").get().spec.deploy == "live"


def test_predict_waits_and_says_so(
    served: headgate.Search, cli: CommandLine, becomes: Callable[..., Later], tmp_path: Path
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("age,plan\n1,x\n")
    arguments = ("predict", "live", "--input", str(table), "--to", str(tmp_path / "out.csv"))
    done = cli.run(*arguments, "--timeout", "0")
    assert done.exit_code == 2
    assert "is PENDING, not READY; it is still being started" in done.stderr
    assert "waiting" not in done.stderr
    later = becomes(_F, error=Failure("MODEL_LOAD_FAILED", "its bundle is spoilt"))
    done = cli.run(*arguments)
    assert later.asked > 2
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [
        "live is PENDING; waiting for it, at most 5m 00s",
        f"error: {LIVE} is FAILED, not READY: its bundle is spoilt",
    ]


def test_the_sdk_waits_as_long_as_it_is_told(
    served: headgate.Search, client: headgate.Client, becomes: Callable[..., Later]
) -> None:
    with pytest.raises(InputError, match="PENDING, not READY"):
        client.predict("live", {"age": [1], "plan": ["x"]}, timeout_seconds=0.0)
    later = becomes(_R)
    assert client.await_deployment("live").state == deployment_pb2.Deployment.READY
    assert later.asked == 3
    assert client.await_deployment("live", 0.0).state == deployment_pb2.Deployment.READY


def test_the_end_of_a_search_is_its_exit_code(
    submit: Callable[..., headgate.Search], cli: CommandLine, write: Writer
) -> None:
    name = submit("bad").name
    error = Failure("ALL_REJECTED", "nothing fits here")
    write.change(Search, name, state=SearchState.FAILED, ended_at=1.7e9, error=error)
    for command in ("wait", "watch"):
        done = cli.run(command, "bad")
        assert done.exit_code == 1
        assert "failed: nothing fits here" in done.stderr
    assert cli.json("wait", "bad", code=1)["error"]["message"] == "nothing fits here"
    submit("gone").cancel()
    assert cli.run("wait", "gone").exit_code == 1
