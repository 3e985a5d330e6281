"""A Ray of its own in a process of its own, for `test_gateway.py`.

Run as `python gateway_ray.py DASHBOARD_PORT METRICS_PORT TEMP_DIR` with Ray's token in the
environment; prints one line when Ray answers and ends it when standard input ends.
"""

from __future__ import annotations

import sys

import ray


def main() -> None:
    dashboard_port, metrics_port, directory = sys.argv[1:]
    ray.init(
        address="local",
        _node_ip_address="127.0.0.1",
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        dashboard_port=int(dashboard_port),
        _metrics_export_port=int(metrics_port),
        _temp_dir=directory,
        num_cpus=1,
        object_store_memory=80 * 1024**2,
        log_to_driver=False,
    )
    print("ready", flush=True)
    sys.stdin.read()
    ray.shutdown()


if __name__ == "__main__":
    main()
