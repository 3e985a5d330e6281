"""What the control plane last saw of the cluster. The reconciler writes it, everybody reads it."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.admission import Capacity, NodeCapacity
from controller.ports.cluster import Node


@dataclass(frozen=True)
class ClusterStatus:
    """nodes: as last seen, None before the first look. problem: why the last look failed, empty
    when it did not.
    """

    nodes: tuple[Node, ...] | None
    problem: str


class ClusterView:
    """The nodes as last seen. Thread-safe: each write replaces one immutable snapshot.

    driver_memory_bytes: what drivers may hold on any node; gateway_memory_bytes: what serving holds
    while anything is deployed; gateway_spare_bytes: what is left free for it at all times. They are
    taken off every node's memory, so that a reservation never waits for memory that those have.
    """

    def __init__(
        self,
        driver_memory_bytes: int = 0,
        gateway_memory_bytes: int = 0,
        gateway_spare_bytes: int = 0,
    ) -> None:
        self._driver_memory_bytes = driver_memory_bytes
        self._gateway_memory_bytes = gateway_memory_bytes
        self._gateway_spare_bytes = gateway_spare_bytes
        self._is_serving = False
        self._status = ClusterStatus(None, "Ray has not been asked yet")

    def status(self) -> ClusterStatus:
        """A snapshot."""
        return self._status

    def saw(self, nodes: tuple[Node, ...]) -> None:
        """Ray answered."""
        self._status = ClusterStatus(nodes, "")

    def failed(self, problem: str) -> None:
        """Ray did not answer; the nodes stay as last seen."""
        self._status = ClusterStatus(self._status.nodes, problem)

    def serves(self, is_serving: bool) -> None:
        """Whether anything is deployed, or to be."""
        self._is_serving = is_serving

    def platform_bytes(self) -> int:
        """What drivers and serving may hold of a node."""
        serving = self._gateway_memory_bytes if self._is_serving else 0
        return self._driver_memory_bytes + max(serving, self._gateway_spare_bytes)

    def capacity(self) -> Capacity | None:
        """What nodes have for trials; None when no node was ever seen."""
        nodes, platform = self._status.nodes, self.platform_bytes()
        if not nodes:
            return None
        return Capacity(
            tuple(
                NodeCapacity(
                    max(0, node.memory_bytes - platform),
                    node.cpus,
                    node.gpus,
                    node.node_id,
                    node.gpu_memory_bytes,
                )
                for node in nodes
            )
        )
