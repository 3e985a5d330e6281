"""Runs one job at a time in a confined child process: limits, watch, measurement, classification.

`Sandbox` is the door; `agent` puts one on every Ray node. Linux only: `/proc`, pidfd and prctl.
"""
