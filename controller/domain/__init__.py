"""Decisions and plain data: records, states, errors, budgets, the gate. Standard library only."""
