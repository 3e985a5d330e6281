"""From a stored table to encoded, memory-mapped arrays, and scores."""
