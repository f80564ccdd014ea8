"""The tuning of an optimizer's knobs within a declared box, for comparisons: Sobol points, then coordinate descent."""
