"""Scores architectures by training a small network of each, or by looking one up in a table."""
