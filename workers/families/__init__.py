"""Part of the data plane."""
