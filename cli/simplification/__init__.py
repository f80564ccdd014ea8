"""Simplification on the command line: what came out, its report, what is kept with a run, ablation and families."""
