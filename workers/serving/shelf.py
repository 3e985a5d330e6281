"""The models that a replica holds: which are wanted, which answer, which could not be loaded.

Laws: the version that answers is replaced only by a loaded one; a model that cannot be loaded
harms no other; one model is loaded at a time, so memory holds one spare at most; the latest wish
wins. Lives on one event loop; only loading runs in a thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.serving.model import Servable
from workers.serving.tensors import RequestError, shown

_log = logging.getLogger(__name__)

NOT_FOUND = 404
UNAVAILABLE = 503


@dataclass(frozen=True)
class WantedModel:
    """A model version that must answer. attempt: a new number has a failed load tried again."""

    inference_name: str
    version: int
    bundle_uri: str
    manifest_sha256: str
    attempt: int = 0

    def is_same_bundle(self, other: WantedModel) -> bool:
        """True when both are the same version of the same bytes."""
        return (self.version, self.bundle_uri, self.manifest_sha256) == (
            other.version,
            other.bundle_uri,
            other.manifest_sha256,
        )


def wanted_models(user_config: Mapping[str, Any]) -> tuple[WantedModel, ...]:
    """Reads the application's `user_config`. Raises: ValueError when it is not `{"models": [...]}`
    with the fields of `WantedModel`, or names a model twice.
    """
    try:
        wanted = tuple(WantedModel(**entry) for entry in user_config["models"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"user_config is not what the gateway reads: {error!r}") from error
    if len({model.inference_name for model in wanted}) != len(wanted):
        raise ValueError("user_config names a model twice")
    return wanted


@dataclass(frozen=True)
class LoadFailure:
    """Why a wanted model could not be loaded, as one line."""

    wanted: WantedModel
    message: str


@dataclass(frozen=True)
class LoadedVersion:
    """A version that answers."""

    wanted: WantedModel
    model: Servable


class ModelShelf:
    """Loads what is wanted with `load(bundle_uri, manifest_sha256)`, a blocking call."""

    def __init__(self, load: Callable[[str, str], Servable]) -> None:
        self._load = load
        self._wanted: dict[str, WantedModel] = {}
        self._loaded: dict[str, LoadedVersion] = {}
        self._failures: dict[str, LoadFailure] = {}
        self._work: asyncio.Task[None] | None = None
        self.has_settled_once = False
        """True when everything that was wanted first is loaded or has failed."""

    def want(self, models: Sequence[WantedModel]) -> asyncio.Task[None]:
        """Makes `models` the wish; returns the task that ends when all are loaded or have failed.

        Models that are not wanted any more stop answering at once.
        """
        self._wanted = {model.inference_name: model for model in models}
        for gone in self._loaded.keys() - self._wanted.keys():
            del self._loaded[gone]
        for name in list(self._failures):
            if self._wanted.get(name) != self._failures[name].wanted:
                del self._failures[name]
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._settle())
        return self._work

    async def _settle(self) -> None:
        while (wanted := self._next()) is not None:
            await self._try_load(wanted)
        self.has_settled_once = True

    def _next(self) -> WantedModel | None:
        """A wanted model that is neither loaded nor known to fail."""
        for name, wanted in self._wanted.items():
            loaded = self._loaded.get(name)
            is_loaded = loaded is not None and loaded.wanted.is_same_bundle(wanted)
            if not is_loaded and name not in self._failures:
                return wanted
        return None

    async def _try_load(self, wanted: WantedModel) -> None:
        name = wanted.inference_name
        _log.info("loading %s version %d from %s", name, wanted.version, wanted.bundle_uri)
        try:
            model = await asyncio.to_thread(self._load, wanted.bundle_uri, wanted.manifest_sha256)
        except Exception as error:  # noqa: BLE001 - whatever a bundle raises is that model's failure
            _log.warning("%s version %d cannot be loaded", name, wanted.version, exc_info=True)
            if self._wanted.get(name) == wanted:
                self._failures[name] = LoadFailure(wanted, one_line(error))
            return
        if self._wanted.get(name) == wanted:
            self._loaded[name] = LoadedVersion(wanted, model)

    def answering(self, name: str, version: str | None = None) -> LoadedVersion:
        """The version that answers for `name`.

        Raises: RequestError 404 for an unknown model or version, 503 for one that is not loaded.
        """
        if name not in self._wanted:
            raise RequestError(
                f"there is no model {shown(name)}; GET /headgate/status lists what there is",
                NOT_FOUND,
            )
        loaded = self._loaded.get(name)
        if loaded is None:
            raise RequestError(self._why_not(name), UNAVAILABLE)
        if version is not None and version != str(loaded.wanted.version):
            raise RequestError(
                f"model {shown(name)} has no version {shown(version)} loaded; ask for version "
                f"{loaded.wanted.version} or leave the version out",
                NOT_FOUND,
            )
        return loaded

    def _why_not(self, name: str) -> str:
        failure = self._failures.get(name)
        if failure is None:
            return f"model {shown(name)} is being loaded; try again in a moment"
        return f"model {shown(name)} could not be loaded: {failure.message}; deploy it again"

    def status(self) -> dict[str, Any]:
        """What `GET /headgate/status` shows: by model the version that answers and its manifest,
        what is wanted, and the failure to load that, if any.
        """
        return {"models": {name: self._status_of(name) for name in self._wanted}}

    def _status_of(self, name: str) -> dict[str, Any]:
        wanted, loaded = self._wanted[name], self._loaded.get(name)
        failure = self._failures.get(name)
        return {
            "version": None if loaded is None else loaded.wanted.version,
            "manifest_sha256": None if loaded is None else loaded.wanted.manifest_sha256,
            "wanted_version": wanted.version,
            "wanted_attempt": wanted.attempt,
            "error": None if failure is None else failure.message,
        }


def one_line(error: BaseException) -> str:
    """The error's text on one line of at most 500 characters, its type when it has no text."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 500 else text[:497] + "..."
