"""The data plane, running on Ray: families, sandbox, trials, search driver, bundles, serving."""
