"""Ablation: statements and states of an optimizer program are removed, and its constants rounded, while its loss on a
task stays within a margin of the given program's, by paired trials with fresh seeds."""
