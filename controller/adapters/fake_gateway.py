"""A gateway in memory, for tests and for trying the control plane without Ray."""

from __future__ import annotations

from controller.domain.errors import ForeignRoutedApplication, Unavailable
from controller.ports.cluster import GatewayStatus, ServedModel


class FakeGateway:
    """Loads what is applied at once, except for what it was told to do otherwise.

    is_away: every call raises Unavailable. foreign: name of somebody else's routed application, or
    empty. is_holding: models that are applied stay unloaded until `release`. broken: inference name
    -> why it cannot be loaded. applied: every set of models that changed something, in order.
    """

    def __init__(self) -> None:
        self.inference_http = "http://127.0.0.1:8000"
        self.inference_grpc = "127.0.0.1:9000"
        self.is_away = False
        self.is_holding = False
        self.foreign = ""
        self.broken: dict[str, str] = {}
        self.applied: list[tuple[ServedModel, ...]] = []
        self._wanted: tuple[ServedModel, ...] = ()
        self._loaded: dict[str, int] = {}
        self._errors: dict[str, str] = {}

    async def apply(self, models: tuple[ServedModel, ...]) -> None:
        """See `controller.ports.cluster.Gateway`."""
        self._check_here()
        if models == self._wanted:
            return
        if models and not self._wanted and self.foreign:
            raise ForeignRoutedApplication(self.foreign, "/")
        self._wanted = models
        self.applied.append(models)
        names = {model.inference_name for model in models}
        self._loaded = {name: v for name, v in self._loaded.items() if name in names}
        self._errors = {}
        if not self.is_holding:
            self.release()

    async def status(self) -> GatewayStatus:
        """See `controller.ports.cluster.Gateway`."""
        self._check_here()
        if not self._wanted:
            return GatewayStatus("NOT_STARTED")
        return GatewayStatus("RUNNING", "", dict(self._loaded), dict(self._errors))

    async def close(self) -> None:
        """Does nothing."""

    def release(self) -> None:
        """Loads everything that is applied, as far as it is not broken."""
        for model in self._wanted:
            if model.inference_name in self.broken:
                self._errors[model.inference_name] = self.broken[model.inference_name]
            else:
                self._loaded[model.inference_name] = model.version

    def restart_ray(self) -> None:
        """Forgets everything, as a Ray that was started anew does."""
        self._wanted, self._loaded, self._errors = (), {}, {}

    def _check_here(self) -> None:
        if self.is_away:
            raise Unavailable("Ray does not answer; start it, or wait for it")
