"""The Ray Serve application `headgate-gateway`, import path `workers.serving.gateway:app`.

One deployment, routed at `/`, holds all models. `user_config` is `{"models": [...]}`, each with the
fields of `workers.serving.shelf.WantedModel`; a change of it is a reconfiguration of the running
replicas and starts none.

A new replica takes traffic when its first models are settled. Later changes are loaded in the
background and `reconfigure` returns at once: Serve sends a replica no requests while it runs, and
the old versions must go on answering. `/headgate/status` says what is loaded.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ray import serve
from starlette.applications import Starlette

from workers.serving.asgi import build_app
from workers.serving.bundles import load_servable
from workers.serving.grpc_methods import GrpcMethods
from workers.serving.shelf import ModelShelf, wanted_models

PREDICT_THREADS = 4
"""Requests that one replica works on at once; each predicts on one CPU."""

MAX_ONGOING_REQUESTS = 64
"""Requests that one replica accepts at once; more wait in the proxy."""


def build_ingress() -> Starlette:
    """The replica's web application, with its shelf as `state.shelf`."""
    shelf = ModelShelf(load_servable)
    app = build_app(shelf, ThreadPoolExecutor(PREDICT_THREADS, thread_name_prefix="predict"))
    app.state.shelf = shelf
    return app


class Gateway(GrpcMethods):
    """A replica."""

    app: Starlette

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Makes the replica hold the models of `user_config`. Raises: ValueError when it is not
        what `wanted_models` reads.
        """
        shelf: ModelShelf = self.app.state.shelf
        settled = shelf.want(wanted_models(user_config))
        if not shelf.has_settled_once:
            await settled


deployment = serve.deployment(
    name="gateway", max_ongoing_requests=MAX_ONGOING_REQUESTS, ray_actor_options={"num_cpus": 0}
)(serve.ingress(build_ingress)(Gateway))

app = deployment.bind()
