"""The rungs on which policies are scored beyond rung 0, the search's own."""

REVIEW = 1
"""Reviews, which choose the elite; their seed is the generation, counted from 1 (0: before the first is complete)."""

TEST = 2
"""The last test of the winner, which chooses nothing."""
