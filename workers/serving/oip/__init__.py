"""Generated from inference.proto; do not edit. How: see workers/serving/grpc_methods.py."""
