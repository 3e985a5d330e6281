"""Reads foreign tables in a child process under a memory and time limit."""
