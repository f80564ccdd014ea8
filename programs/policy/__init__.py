"""Policies: networks whose weights are a list of seeds."""
