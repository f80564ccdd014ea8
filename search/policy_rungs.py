"""The rungs at which policies are scored beyond rung 0."""

REVIEW = 1
"""Rung of reviews, which choose the elite. Their seed is the generation, counted from 1; it is 0 for the reviews that
close a run without a complete generation."""

TEST = 2
"""Rung of the winner's test at the end, which chooses nothing."""
