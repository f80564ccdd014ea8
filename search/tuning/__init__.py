"""Tuning of an optimizer's numbers within a declared box: Sobol points, then coordinate descent."""
