"""What the control plane last saw of the cluster. The reconciler writes it, everybody reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from controller.domain.admission import Capacity, NodeCapacity
from controller.domain.records import NodeReport
from controller.ports.cluster import Node

REPORT_SECONDS = 60.0
"""What an agent measured counts so long; drivers ask every 10 s."""
_NO_LIMIT = 1 << 62


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
        self._reports: dict[str, tuple[NodeReport, float]] = {}
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

    def measured(self, reports: Iterable[NodeReport], now: float) -> None:
        """What the agents of nodes say that is there."""
        news = {each.node_id: (each, now) for each in reports}
        if news:
            self._reports = self._reports | news

    def capacity(self) -> Capacity | None:
        """What nodes have for trials by Ray's figures; None when no node was ever seen."""
        nodes = self._status.nodes
        if not nodes:
            return None
        return Capacity(tuple(self._capacity_of(node) for node in nodes))

    def present_capacity(self, now: float) -> Capacity | None:
        """As `capacity`, and never more than was measured lately: something else may use the node.

        What may start is decided by it; what can ever fit is not, as the rest may go again.
        """
        capacity = self.capacity()
        if capacity is None:
            return None
        return Capacity(
            tuple(
                replace(node, memory_bytes=min(node.memory_bytes, self._left(node.name, now)))
                for node in capacity.nodes
            )
        )

    def _left(self, node_id: str, now: float) -> int:
        report, told_at = self._reports.get(node_id, (None, 0.0))
        is_known = report is not None and now - told_at <= REPORT_SECONDS
        return report.memory_for_trials_bytes if report is not None and is_known else _NO_LIMIT

    def _capacity_of(self, node: Node) -> NodeCapacity:
        report, _ = self._reports.get(node.node_id, (None, 0.0))
        return NodeCapacity(
            max(0, node.memory_bytes - self.platform_bytes()),
            node.cpus,
            node.gpus,
            node.node_id,
            report.gpu_memory_bytes if report is not None else 0,
        )
