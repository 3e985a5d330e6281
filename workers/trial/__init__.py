"""What a sandbox child does: score a configuration, or fit the winner on all rows."""
