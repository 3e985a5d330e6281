"""Headgate's client: a typed SDK and the command line. Imports neither `controller` nor `workers`."""
