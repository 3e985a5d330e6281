"""`client.plan` and `headgate plan` against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import headgate
from controller.in_process import InProcessController
from headgate.cli.main import main
from headgate.client import Client
from headgate.errors import ServerError
from headgate.spec import SearchOptions

KNN = ("knn", "random_forest")


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[InProcessController]:
    with InProcessController(tmp_path / "controller") as controller:
        yield controller


@pytest.fixture
def client(controller: InProcessController) -> Iterator[Client]:
    with headgate.connect(controller.address) as client:
        yield client


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    rows = "".join(f"{i},{i % 7},{'yes' if i % 3 else 'no'}\n" for i in range(90))
    path.write_text("age,income,churned\n" + rows)
    return path


def headgate_plan(controller: InProcessController, *arguments: object) -> Result:
    asked = ["--server", controller.address, "plan", *map(str, arguments)]
    return CliRunner().invoke(main, asked)


def test_a_file_is_planned_and_leaves_nothing(client: Client, table: Path) -> None:
    plan = client.plan(table, "churned", trials=3, families=KNN)
    assert plan.feasible_share == 1.0
    assert [each.family for each in plan.families] == list(KNN)
    assert list(plan.classes) == ["no", "yes"]
    assert plan.expected_trials == 3
    assert list(client.datasets()) == []
    assert list(client.searches()) == []


def test_options_and_keywords_are_those_of_submit(client: Client, table: Path) -> None:
    options = SearchOptions(trials=3, metric="accuracy")
    plan = client.plan(table, "churned", options=options, families=["knn"], exclude=["income"])
    assert plan.metric == "accuracy"
    assert list(plan.feature_columns) == ["age"]


def test_a_dataset_that_exists_stays(client: Client, table: Path) -> None:
    dataset = client.create_dataset(table, dataset_id="people")
    assert client.plan(dataset.name, "churned", trials=3, families=KNN).feasible_share == 1.0
    with pytest.raises(ServerError):
        client.plan(dataset.name, "nope", trials=3)
    assert [each.name for each in client.datasets()] == [dataset.name]


def test_a_refused_plan_takes_its_table_along(client: Client, table: Path) -> None:
    with pytest.raises(ServerError, match="target_column"):
        client.plan(table, "nope", trials=3)
    assert list(client.datasets()) == []


def test_an_interrupted_plan_takes_its_table_along(
    client: Client, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(client.connection.searches, "PlanSearch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        client.plan(table, "churned", trials=3)
    assert list(client.datasets()) == []


def test_the_command_tells_what_fits(controller: InProcessController, table: Path) -> None:
    done = headgate_plan(
        controller, table, "--target=churned", "--time=1h", "--family=knn",
        "--family=random_forest", "--max-model-size=600000",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "binary of 'churned' (no, yes); 5-fold stratified" in done.output
    assert "EXCEEDS_MODEL_SIZE" in done.output
    assert "of such candidates fit" in done.output
    assert "nearest refused its model would take" in done.output
    assert "of the space fits; 4 trials at once" in done.output
    assert "trials in " in done.output
    assert "CPU-hours" in done.output
    assert "\x1b" not in done.output  # plain off a terminal


def test_nothing_that_fits_exits_with_1(controller: InProcessController, table: Path) -> None:
    tiny = (table, "--target=churned", "--trials=3", "--family=knn", "--max-model-size=1")
    done = headgate_plan(controller, *tiny)
    assert done.exit_code == 1
    assert "knn: no candidate fits" in done.output
    assert "would be refused: no candidate of the space fits" in done.output
    as_json = headgate_plan(controller, *tiny, "--output", "json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.output)["never_fitting_families"] == ["knn"]


def test_json_is_one_document(controller: InProcessController, table: Path) -> None:
    done = headgate_plan(
        controller, table, "--target=churned", "--trials=3", "--family=knn", "--output=json"
    )
    assert done.exit_code == 0
    document = json.loads(done.output)
    assert document["feasible_share"] == 1.0
    assert document["expected_trials"] == "3"
    assert document["families"][0]["lightest_feasible"]["parameters"]["n_neighbors"]


@pytest.mark.parametrize(
    "wrong",
    [("--target=nope", "--trials=3"), ("--target=churned",), ("--trials=3",)],
)
def test_wrong_input_exits_with_2(
    controller: InProcessController, client: Client, table: Path, wrong: tuple[str, ...]
) -> None:
    done = headgate_plan(controller, table, *wrong)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert list(client.datasets()) == []


@pytest.mark.parametrize("command", ["plan", "submit"])
def test_a_space_that_cannot_be_read_is_one_line(table: Path, command: str) -> None:
    asked = [command, str(table), "--target=churned", "--space=/does/not/exist.yaml"]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: /does/not/exist.yaml")
    assert done.stderr.count("\n") == 1
