"""Which version answers while others are loaded, fail, or go."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from workers.serving.shelf import ModelShelf, WantedModel, wanted_models
from workers.serving.tensors import RequestError


class Loader:
    """Loads when it is let; `load` runs in the shelf's thread."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.calls: list[str] = []
        self.broken: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()

    def load(self, uri: str, manifest_sha256: str) -> Any:
        self.calls.append(uri)
        self.started.set()
        assert self.gate.wait(20)
        if uri in self.broken:
            raise OSError(f"no bundle at\n{uri}")
        return self.model


@pytest.fixture
def loader(model: Any) -> Loader:
    return Loader(model)


@pytest.fixture
def shelf(loader: Loader) -> ModelShelf:
    return ModelShelf(loader.load)


def wanted(name: str, version: int = 1, attempt: int = 0) -> WantedModel:
    return WantedModel(name, version, f"{name}-{version}", f"sha-{name}-{version}", attempt)


def refused(shelf: ModelShelf, name: str, version: str | None = None) -> RequestError:
    with pytest.raises(RequestError) as caught:
        shelf.answering(name, version)
    return caught.value


async def test_loads_several_models_side_by_side(shelf: ModelShelf) -> None:
    was_settled = shelf.has_settled_once
    await shelf.want([wanted("a"), wanted("b", 2)])
    assert (was_settled, shelf.has_settled_once) == (False, True)
    assert shelf.answering("a").wanted.version == 1
    assert shelf.answering("b", "2").wanted.version == 2
    assert shelf.status()["models"]["b"] == {
        "version": 2,
        "manifest_sha256": "sha-b-2",
        "wanted_version": 2,
        "wanted_attempt": 0,
        "error": None,
    }


async def test_one_that_fails_harms_no_other_and_is_visible(
    shelf: ModelShelf, loader: Loader
) -> None:
    loader.broken.add("bad-1")
    await shelf.want([wanted("bad"), wanted("good")])
    assert shelf.answering("good").wanted.version == 1
    error = refused(shelf, "bad")
    assert error.status == 503
    assert "could not be loaded: no bundle at bad-1" in str(error)
    assert shelf.status()["models"]["bad"]["error"] == "no bundle at bad-1"


async def test_the_old_version_answers_until_the_new_one_is_loaded(
    shelf: ModelShelf, loader: Loader
) -> None:
    await shelf.want([wanted("a")])
    loader.gate.clear()
    loader.started.clear()
    settled = shelf.want([wanted("a", 2)])
    assert await asyncio.to_thread(loader.started.wait, 20)
    assert shelf.answering("a").wanted.version == 1
    assert refused(shelf, "a", "2").status == 404
    loader.gate.set()
    await settled
    assert shelf.answering("a").wanted.version == 2
    assert refused(shelf, "a", "1").status == 404


async def test_the_old_version_goes_on_when_the_new_one_cannot_be_loaded(
    shelf: ModelShelf, loader: Loader
) -> None:
    await shelf.want([wanted("a")])
    loader.broken.add("a-2")
    await shelf.want([wanted("a", 2)])
    assert shelf.answering("a").wanted.version == 1
    status = shelf.status()["models"]["a"]
    assert (status["version"], status["wanted_version"]) == (1, 2)
    assert "no bundle" in status["error"]


async def test_what_is_not_wanted_any_more_stops_at_once(shelf: ModelShelf) -> None:
    await shelf.want([wanted("a"), wanted("b")])
    shelf.want([wanted("b")])
    assert refused(shelf, "a").status == 404
    assert list(shelf.status()["models"]) == ["b"]


async def test_the_latest_wish_wins_over_a_load_under_way(
    shelf: ModelShelf, loader: Loader
) -> None:
    loader.gate.clear()
    settled = shelf.want([wanted("a"), wanted("b")])
    assert await asyncio.to_thread(loader.started.wait, 20)
    assert shelf.want([wanted("a", 2)]) is settled
    assert "being loaded" in str(refused(shelf, "a"))
    loader.gate.set()
    await settled
    assert shelf.answering("a").wanted.version == 2
    assert loader.calls == ["a-1", "a-2"]


async def test_a_load_that_ends_when_nobody_wants_it_any_more_is_dropped(
    shelf: ModelShelf, loader: Loader
) -> None:
    loader.gate.clear()
    settled = shelf.want([wanted("a")])
    assert await asyncio.to_thread(loader.started.wait, 20)
    shelf.want([])
    loader.gate.set()
    await settled
    await shelf.want([wanted("a")])
    assert loader.calls == ["a-1", "a-1"]


async def test_nothing_is_loaded_twice(shelf: ModelShelf, loader: Loader) -> None:
    await shelf.want([wanted("a")])
    await shelf.want([wanted("a"), wanted("b")])
    await shelf.want([wanted("a", attempt=1), wanted("b")])
    assert loader.calls == ["a-1", "b-1"]


async def test_a_failed_load_is_tried_again_only_for_a_new_attempt(
    shelf: ModelShelf, loader: Loader
) -> None:
    loader.broken.add("a-1")
    await shelf.want([wanted("a")])
    await shelf.want([wanted("a")])
    assert loader.calls == ["a-1"]
    loader.broken.clear()
    await shelf.want([wanted("a", attempt=1)])
    assert shelf.answering("a").wanted.version == 1


async def test_the_same_version_of_other_bytes_is_loaded(shelf: ModelShelf, loader: Loader) -> None:
    await shelf.want([WantedModel("a", 1, "one", "sha1")])
    await shelf.want([WantedModel("a", 1, "two", "sha2")])
    assert loader.calls == ["one", "two"]
    assert shelf.status()["models"]["a"]["manifest_sha256"] == "sha2"


def test_reads_the_user_config() -> None:
    entry = {"inference_name": "a", "version": 1, "bundle_uri": "u", "manifest_sha256": "s"}
    assert wanted_models({"models": [entry | {"attempt": 2}]}) == (
        WantedModel("a", 1, "u", "s", 2),
    )
    assert wanted_models({"models": []}) == ()


@pytest.mark.parametrize(
    "config", [{}, {"models": None}, {"models": [{}]}, {"models": [{"unknown": 1}]}]
)
def test_refuses_another_user_config(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="user_config"):
        wanted_models(config)


def test_refuses_a_model_named_twice() -> None:
    entry = {"inference_name": "a", "version": 1, "bundle_uri": "u", "manifest_sha256": "s"}
    with pytest.raises(ValueError, match="twice"):
        wanted_models({"models": [entry, entry]})
