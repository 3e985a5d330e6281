"""Generated from protos/headgate/v1 by `make protos`; do not edit."""
