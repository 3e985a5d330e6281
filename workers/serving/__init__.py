"""The gateway: models behind the Open Inference Protocol on Ray Serve."""
