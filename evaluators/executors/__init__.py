"""Executors: where jobs are scored, in this process or on Ray."""
