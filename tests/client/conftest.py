"""A controller in this process, the SDK connected to it, and the command line run against it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import headgate
from controller.domain.records import (
    Column,
    ColumnKind,
    Dataset,
    Decision,
    Deployment,
    Failure,
    FailureKind,
    Model,
    ModelInput,
    Origin,
    Prediction,
    Reason,
    Reservation,
    Search,
    Task,
    Trial,
    TrialFailure,
    Usage,
    ValueCount,
    Verdict,
)
from controller.domain.states import DeploymentState, SearchState, TrialState
from controller.in_process import InProcessController
from headgate.cli.main import main

PARENT = "namespaces/default"
MIB = 1 << 20


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[InProcessController]:
    with InProcessController(tmp_path / "controller") as controller:
        yield controller


@pytest.fixture
def client(controller: InProcessController) -> Iterator[headgate.Client]:
    with headgate.connect(controller.address) as client:
        yield client


@dataclass(frozen=True)
class CommandLine:
    """Runs `headgate`; a call returns what was printed on stdout, after checking the exit code."""

    address: str

    def run(self, *arguments: str) -> Result:
        """Everything about one run."""
        result = CliRunner().invoke(main, ["--server", self.address, *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    def __call__(self, *arguments: str, code: int = 0) -> str:
        result = self.run(*arguments)
        assert result.exit_code == code, (arguments, result.output)
        return result.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        """The one document on stdout."""
        return json.loads(self(*arguments, "--output", "json", code=code))

    def error(self, *arguments: str) -> str:
        """The one line on stderr of a command that exits with 2 and prints nothing else."""
        result = self.run(*arguments)
        assert (result.exit_code, result.stdout) == (2, ""), result.output
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
        return result.stderr.removeprefix("error: ").strip()


@pytest.fixture
def cli(controller: InProcessController) -> CommandLine:
    return CommandLine(controller.address)


class Writer:
    """Writes into the store what drivers and reconcilers would."""

    def __init__(self, controller: InProcessController) -> None:
        self._store = controller.store
        self._artifacts = controller.artifacts

    def put(self, record: Any) -> Any:
        with self._store.transaction() as tx:
            return tx.put(record)

    def change(self, kind: Any, name: str, **values: Any) -> Any:
        with self._store.transaction() as tx:
            record = tx.get(kind, name)
            assert record is not None, name
            return tx.put(replace(record, **values))

    def dataset(self, dataset_id: str = "people") -> Dataset:
        numbers = tuple(Column(n, ColumnKind.NUMBER, 0, 90) for n in ("age", "income"))
        target = Column(
            "churned",
            ColumnKind.CATEGORY,
            0,
            2,
            top_values=(ValueCount("no", 60), ValueCount("yes", 40)),
        )
        made: Dataset = self.put(
            Dataset(
                f"{PARENT}/datasets/{dataset_id}", "people.csv", "CSV", 100, (*numbers, target), (),
                self._artifacts.uri("datasets", dataset_id), 1000, 1.7e9,
            )
        )  # fmt: skip
        return made

    def trial(self, search: str, number: int, state: TrialState, **values: Any) -> Trial:
        prediction = Prediction({"data": 100 * MIB}, 1.0, 1000, 0.001)
        is_rejected = state is TrialState.REJECTED
        verdict = (
            Verdict(
                Decision.REJECTED, prediction, 182 * MIB, "needs 182 MiB, more than allowed",
                reason=Reason.EXCEEDS_TRIAL_LIMIT, limit=1e8, demand=2e8, limit_unit="bytes",
            )
            if is_rejected
            else Verdict(
                Decision.ADMITTED, prediction, 182 * MIB, "needs 182 MiB with safety, gets 256 MiB",
                reservation=Reservation(1, 0.0, 256 * MIB),
            )
        )  # fmt: skip
        if state is TrialState.SUCCEEDED:
            values.setdefault("usage", Usage(90 * MIB, 1.5, 2.5, model_bytes=10))
        if state is TrialState.FAILED:
            values.setdefault(
                "failure",
                TrialFailure(FailureKind.CRASHED, "it broke", "Traceback: boom", "last words"),
            )
        made: Trial = self.put(
            Trial(
                f"{search}/trials/{number}", search, number, f"c{number}", "linear", {"C": 0.5}, 7,
                Origin.SAMPLED, state, verdict, 1.7e9, **values,
            )
        )  # fmt: skip
        return made

    def model(self, model_id: str, **values: Any) -> Model:
        fields: dict[str, Any] = {
            "name": f"{PARENT}/models/{model_id}",
            "search": f"{PARENT}/searches/{model_id}",
            "trial": f"{PARENT}/searches/{model_id}/trials/1",
            "family": "linear",
            "parameters": {"C": 0.5},
            "task": Task.BINARY,
            "target_column": "churned",
            "classes": ("no", "yes"),
            "positive_class": "yes",
            "inputs": (
                ModelInput("age", ColumnKind.NUMBER, "FP64"),
                ModelInput("plan", ColumnKind.CATEGORY, "BYTES"),
            ),
            "metric": "roc_auc",
            "score": 0.75,
            "training_rows": 100,
            "bundle_uri": self._artifacts.uri("bundles", model_id),
            "manifest_sha256": "ab" * 32,
            "bundle_bytes": 2048,
            "created_at": 1.7e9,
        }
        made: Model = self.put(Model(**{**fields, **values}))
        return made

    def succeed(self, search: str, deployment: str = "") -> Model:
        """The search has a model, and asked for a deployment."""
        model = self.model(search.rsplit("/", 1)[1])
        self.change(
            Search, search, state=SearchState.SUCCEEDED, ended_at=1.7e9, best_score=0.75,
            best_trial=f"{search}/trials/1", model=model.name, deployment=deployment,
        )  # fmt: skip
        return model

    def trials(self, search: str) -> None:
        """Three with a score, the best of them number 2, one refused, one failed, one running."""
        for number, score in ((0, 0.5), (1, 0.25), (2, 0.75)):
            self.trial(search, number, TrialState.SUCCEEDED, score=score)
        self.trial(search, 3, TrialState.REJECTED)
        self.trial(search, 4, TrialState.FAILED)
        self.trial(search, 5, TrialState.RUNNING)

    def bundle(self, directory: Path, model_id: str, files: dict[str, bytes]) -> Model:
        """A model whose bundle holds these files and their manifest."""
        uri = self._artifacts.uri("bundles", model_id)
        listed = {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in files.items()
        }
        manifest = json.dumps({"bundle_version": 1, "files": listed}).encode()
        for name, content in {**files, "manifest.json": manifest}.items():
            path = directory / "to-store"
            path.write_bytes(content)
            self._artifacts.put_file(path, f"{uri}/{name}")
        return self.model(model_id, manifest_sha256=hashlib.sha256(manifest).hexdigest())

    def deployment(self, deployment_id: str, model: str, state: DeploymentState) -> Deployment:
        is_failed = state is DeploymentState.FAILED
        error = Failure("MODEL_LOAD_FAILED", "its bundle is spoilt") if is_failed else None
        name = f"{PARENT}/deployments/{deployment_id}"
        made: Deployment = self.put(Deployment(name, model, state, 1, 1.7e9, 1.7e9, error))
        return made


@pytest.fixture
def write(controller: InProcessController) -> Writer:
    return Writer(controller)


@pytest.fixture
def submit(client: headgate.Client, write: Writer) -> Callable[..., headgate.Search]:
    """A search on a stored dataset; keyword arguments are options."""
    dataset = write.dataset()

    def make(name: str = "s", **options: Any) -> headgate.Search:
        return client.submit(dataset.name, "churned", name=name, **{"trials": 9, **options})

    return make
