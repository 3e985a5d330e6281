"""The control plane: accepts searches, decides at the gate, keeps the store. Never imports Ray."""
