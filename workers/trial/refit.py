"""Fits the winner on all rows and writes its bundle. Runs inside a sandbox child."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from workers.bundle.manifest import BundleContent, inputs_of
from workers.bundle.write import write_bundle
from workers.data.prepared import Prepared
from workers.families.registry import family
from workers.trial.job import RefitJob, RefitResult


def refit(job: RefitJob) -> RefitResult:
    """Fits on every prepared row, read through the memory map without a copy, and stores the model.

    Blocks. Idempotent: a bundle that is there already is replaced whole.

    Raises: ValueError for a configuration that the library refuses, MemoryError, OSError when the
    bundle cannot be written.
    """
    data = Prepared.open(job.directory)
    chosen = family(job.family)
    encoder = data.encoder()
    model = chosen.fit(
        data.features(job.cpus, job.gpus), job.parameters, data.X, data.y, data.weights, job.seed
    )
    content = BundleContent(
        task=data.meta.task,
        classes=data.meta.classes,
        target_column=data.meta.target_column,
        family=job.family,
        parameters=job.parameters,
        seed=job.seed,
        training_rows=len(data.y),
        inputs=inputs_of(encoder.columns),
        description=job.description,
        created_at=time.time(),
    )
    with tempfile.TemporaryDirectory(prefix="bundle-") as name:
        model_directory = Path(name)
        chosen.save(model, model_directory)
        written = write_bundle(
            job.bundle_uri, content=content, encoder=encoder, model_directory=model_directory
        )
    return RefitResult(
        manifest_sha256=written.manifest_sha256,
        bundle_bytes=written.bundle_bytes,
        training_rows=len(data.y),
        inputs=tuple((entry.name, entry.kind, entry.datatype) for entry in content.inputs),
    )
