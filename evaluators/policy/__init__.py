"""Scores policies by playing episodes with each of them."""
