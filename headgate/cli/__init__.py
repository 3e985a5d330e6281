"""The command line; it only uses the SDK."""
