"""Models: reading them, and handing out their bundles. Calls block."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from controller.domain.errors import DataLoss, NotFound
from controller.domain.names import ModelName, NamespaceName
from controller.domain.records import Model
from controller.ports.artifacts import Artifacts
from controller.ports.store import Store
from controller.service.paging import Pager

CHUNK_BYTES = 1 << 20
"""Largest piece of an exported archive."""
MANIFEST = "manifest.json"
"""The bundle's list of files."""
_BLOCK = tarfile.BLOCKSIZE


class ModelService:
    """`headgate.v1.ModelService`; the proto documents each call."""

    def __init__(self, store: Store, artifacts: Artifacts, pager: Pager) -> None:
        self._store = store
        self._artifacts = artifacts
        self._pager = pager

    def get(self, name: ModelName) -> Model:
        """Raises: NotFound."""
        with self._store.transaction() as tx:
            model = tx.get(Model, str(name))
        if model is None:
            raise NotFound(str(name))
        return model

    def list(
        self, parent: NamespaceName, page_size: int = 0, page_token: str = ""
    ) -> tuple[Sequence[Model], str]:
        """A page, newest first, and the next page's token. Raises: InvalidField."""
        scope = ("ListModels", str(parent))
        page = self._pager.page(page_size, page_token, *scope)
        with self._store.transaction() as tx:
            models, after = tx.list_page(Model, parent.namespace_id, page)
        return models, self._pager.token(after, *scope)

    def export(self, name: ModelName) -> Iterator[bytes]:
        """The bundle as an uncompressed tar archive, in pieces of at most 1 MiB.

        Raises: NotFound at once; DataLoss, from the iterator too, for a file that is not as the
        manifest says: the archive is then incomplete.
        """
        model = self.get(name)
        raw = self._artifacts.read(_uri(model, MANIFEST))
        if hashlib.sha256(raw).hexdigest() != model.manifest_sha256:
            raise _damaged(model, MANIFEST)
        return self._archive(model, raw, json.loads(raw)["files"])

    def _archive(
        self, model: Model, manifest: bytes, files: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[bytes]:
        yield from _member(model, MANIFEST, len(manifest), iter((manifest,)))
        for path in sorted(set(files) - {MANIFEST}):
            size, digest = int(files[path]["bytes"]), str(files[path]["sha256"])
            yield from _member(model, path, size, self._checked(model, path, size, digest))
        yield b"\0" * (2 * _BLOCK)

    def _checked(self, model: Model, path: str, size: int, digest: str) -> Iterator[bytes]:
        """The file's bytes; its last piece is held back until the checksum is known."""
        found, seen = hashlib.sha256(), 0
        held = b""
        for chunk in self._artifacts.chunks(_uri(model, path), CHUNK_BYTES):
            found.update(chunk)
            seen += len(chunk)
            if seen > size:
                raise _damaged(model, path)
            if held:
                yield held
            held = chunk
        if seen != size or found.hexdigest() != digest:
            raise _damaged(model, path)
        if held:
            yield held


def _member(model: Model, path: str, size: int, content: Iterator[bytes]) -> Iterator[bytes]:
    info = tarfile.TarInfo(path)
    info.size = size
    info.mtime = int(model.created_at)
    info.mode = 0o644
    yield info.tobuf(format=tarfile.PAX_FORMAT)
    yield from content
    if size % _BLOCK:
        yield b"\0" * (_BLOCK - size % _BLOCK)


def _uri(model: Model, path: str) -> str:
    return f"{model.bundle_uri}/{quote(path)}"


def _damaged(model: Model, path: str) -> DataLoss:
    return DataLoss(
        f"{path} of {model.name} is not what was written; restore it from a backup of the artifact "
        "store, or search again",
        resource=model.name,
        path=path,
    )
