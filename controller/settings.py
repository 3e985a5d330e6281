"""The settings of a controller process, each with its unit, range and default.

`headgate up` and `headgate controller` fill this from their command lines. Where an option sets it,
its name stands before the colon; what has none is fixed, or follows from the size of an embedded
Ray (`--cpus`, `--memory`; see `controller.adapters.local_ray.RaySize`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.domain.calibration import DEFAULT_COVERAGE
from controller.domain.records import Quota

GIB = 1 << 30
MIB = 1 << 20

LEAST_READER_BYTES = 256 * MIB
"""Python and Arrow alone take 60 MB of it."""
LEAST_READER_SECONDS = 1.0
LEAST_UPLOAD_BYTES = 1 * MIB


@dataclass(frozen=True)
class ControllerSettings:
    """What a controller needs to know about the world around it."""

    data_dir: Path
    """`--data-dir`: directory of everything that must outlive the process: store, artifacts,
    working files."""
    grpc_address: str = "127.0.0.1:50051"
    """`--grpc`: `HOST:PORT` of the gRPC API. Port 0: the last one used on this data directory, else
    any."""
    http_address: str = "127.0.0.1:8080"
    """`--http`: `HOST:PORT` of `/metrics`, `/healthz` and `/readyz`. Port 0: any."""
    ray_address: str = ""
    """`--ray-address`: `http://HOST:PORT` of an existing Ray cluster's dashboard; empty: none is
    given."""
    ray_token: str = ""
    """RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH: Ray's bearer token; empty when that Ray runs without
    authentication."""
    advertise: str = ""
    """`--advertise`: `HOST:PORT` under which Ray's nodes reach the gRPC API; empty: the listening
    address."""
    artifacts_uri: str = ""
    """`--artifacts`: root of the artifact store, a URI that pyarrow.fs knows; empty:
    `DATA_DIR/artifacts`."""
    work_dir: str = ""
    """`--work-dir`: directory on Ray's nodes for working files of searches; empty:
    `DATA_DIR/work`."""
    ray_python: str = ""
    """`--ray-python`: Python that runs drivers on Ray's nodes; empty: this very one with an
    embedded Ray, else `python`."""
    serve_http_port: int = 8000
    """`--serve-http-port`: port of the HTTP inference endpoint on an existing cluster. An embedded
    Ray reserves one."""
    serve_grpc_port: int = 9000
    """`--serve-grpc-port`: port of the gRPC inference endpoint on an existing cluster. An embedded
    Ray reserves one."""
    serve_host: str = ""
    """`--serve-host`: host under which clients reach inference on an existing cluster; empty: the
    dashboard's."""
    reader_memory_bytes: int = 1 * GIB
    """`--reader-memory`: bytes that the child may use that reads a new dataset. From 256 MiB."""
    reader_timeout_seconds: float = 1800.0
    """`--reader-timeout`: seconds that reading a new dataset may take. From 1 s."""
    max_upload_bytes: int = 10 * GIB
    """`--max-upload`: largest uploaded table in bytes. From 1 MiB."""
    coverage: float = DEFAULT_COVERAGE
    """`--coverage`: the share of trials that are promised to stay below the memory bound that is
    compared with limits and reserved. From 0.5 to 0.999, default 0.98: higher kills fewer, reserves
    more."""
    max_running_searches: int = 2
    """`--max-running-searches`: searches that run at once; others wait PENDING. At least 1."""
    retention_seconds: float | None = None
    """`--retention`: ended searches are deleted so long after their end; None keeps them."""
    driver_memory_bytes: int = 256 * MIB
    """Bytes that Ray reserves for a search's driver; measured 250 MiB. So much for each search that
    may run at once is taken off every node before trials get any."""
    gateway_memory_bytes: int = 512 * MIB
    """Bytes that Ray reserves for a serving replica, and that trials leave free while anything is
    deployed; measured 0.5 GiB with Serve itself."""
    gateway_spare_bytes: int = 0
    """Bytes of a node that trials leave free for serving at all times."""
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    """`--config`, section `quotas`: the most that a namespace may hold at once, by its id."""
    ready_file: Path | None = None
    """`--ready-file`: file that gets the addresses as JSON when controller and Ray answer."""
