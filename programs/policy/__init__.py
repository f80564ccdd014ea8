"""Policies: neural networks whose parameters are a function of a list of seeds."""
