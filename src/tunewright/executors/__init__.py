"""Executors: they run executions. In this thread (inline), in worker processes (process), or in virtual time (simulated)."""
