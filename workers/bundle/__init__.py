"""A model on disk: written once, checksummed, verified before it is loaded."""
