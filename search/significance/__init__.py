"""Tests and intervals for paired comparisons of a few seeds on a few tasks."""
