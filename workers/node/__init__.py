"""What a node has: memory, cores, GPUs, and what of it trials may use. Standard library only.

The node agent, the controller and `headgate node-memory` all ask here, so their figures agree.
"""
