"""Executors, which score jobs in this process or on Ray."""
