"""Environments that policies play in, many side by side."""
