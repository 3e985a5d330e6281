"""Model families: one file each, declared in `registry`."""
