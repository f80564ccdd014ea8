"""Scores optimizer programs by training a model with each of them."""
