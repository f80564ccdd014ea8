"""Scores architectures by training a small network of each, or by looking up its results in a table."""
