"""Ablation: what is left of an optimizer program on a task, by paired trials with fresh seeds."""
