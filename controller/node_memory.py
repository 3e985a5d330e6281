"""The command `headgate node-memory`: what to give `ray start --memory` on this node.

Ray's own default is what happens to be free when it starts, of a limit that it sees only where a
container mounts it; this figure counts every limit and leaves room for Ray, its object store and
the sandbox, so that what Ray hands out is what trials can have.
"""

from __future__ import annotations

import click

from headgate.cli.options import SIZE
from workers.node.budget import ray_memory_bytes
from workers.node.machine import NodeMemory, available_cores

MIB = 1 << 20


@click.command("node-memory")
@click.option("--head", is_flag=True, help="The node also runs Ray's GCS and dashboard.")
@click.option(
    "--object-store",
    type=SIZE,
    default="200MiB",
    show_default=True,
    help="What `ray start --object-store-memory` is given. Headgate needs 128 MiB.",
)
@click.option(
    "--cpus",
    type=click.IntRange(min=1),
    help="What `ray start --num-cpus` is given, at most so many trials at once. Default: all.",
)
def node_memory(*, head: bool, object_store: float, cpus: int | None) -> None:
    """Print the bytes for `ray start --memory` on this node, and nothing else.

    ray start --address HEAD:6379 --object-store-memory 209715200 --memory $(headgate node-memory)
    """
    total = NodeMemory().total_bytes()
    left = ray_memory_bytes(total, int(object_store), cpus or available_cores(), is_head=head)
    if left == 0:
        raise click.ClickException(
            f"of {total // MIB} MiB nothing is left for trials beside Ray and an object store of "
            f"{int(object_store) // MIB} MiB; give the node more memory, or set --object-store"
        )
    click.echo(left)
